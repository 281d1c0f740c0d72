//! One pass over the bytes, checking and writing the tape.

use std::mem;

use crate::error::{Error, ErrorKind};
use crate::names;
use crate::scan;
use crate::tape::Node;
use crate::unique;
use crate::value::Kind;

/// What is said of a text as a whole.
pub(crate) struct Extent {
    /// Deepest nesting.
    pub(crate) depth: usize,
    /// Whether there is white space outside of strings.
    pub(crate) spaced: bool,
}

/// Fills `nodes` from a text shorter than 4 GiB; `names` is scratch.
pub(crate) fn parse(
    text: &[u8],
    max_depth: usize,
    nodes: &mut Vec<Node>,
    names: &mut Vec<u32>,
) -> Result<Extent, Error> {
    nodes.clear();
    let mut reader = Reader {
        nodes: mem::take(nodes),
        names,
        max_depth,
        depth: 0,
        spaced: false,
        odd_end: 0,
        error: Error::new(ErrorKind::UnexpectedEnd, 0),
    };
    let result = reader.text(text);
    *nodes = reader.nodes;
    match result {
        Ok(()) => Ok(Extent {
            depth: reader.depth,
            spaced: reader.spaced,
        }),
        Err(Stopped) => Err(reader.error),
    }
}

/// What is known beyond the innermost container.
// Each container is read by a function of its own, as it holds more than would
// otherwise stay in registers. Offsets have 32 bits: adding to them in 64 bits
// can't overflow, which spares a check at each look at the text.
struct Reader<'t> {
    nodes: Vec<Node>,
    /// Nodes of members to be sorted by their names.
    names: &'t mut Vec<u32>,
    max_depth: usize,
    /// Deepest nesting so far.
    depth: usize,
    /// Whether there is white space outside of strings.
    spaced: bool,
    /// Offset after the last piece of text that is not in canonical form.
    odd_end: u32,
    error: Error,
}

/// The text is wrong; the [`Reader`] keeps the error, so that a result fits
/// into registers.
struct Stopped;

/// The name of a member, or nothing for elements and the root.
#[derive(Clone, Copy)]
struct Name {
    prefix: u64,
    start: u32,
    end: u32,
    flags: u8,
}

const NO_NAME: Name = Name {
    prefix: 0,
    start: 0,
    end: 0,
    flags: 0,
};

/// In the place of an object's last name: one has an escape, or does not sort
/// after the one before. No name begins like this, as it isn't UTF-8.
const UNSORTED: u64 = u64::MAX;

impl Reader<'_> {
    fn text(&mut self, text: &[u8]) -> Result<(), Stopped> {
        let end = self.value(text, 0, NO_NAME, 0)?;
        let end = self.skip(text, end) as usize;
        if end < text.len() {
            return Err(self.stop(Error::new(ErrorKind::TrailingContent, end)));
        }
        Ok(())
    }

    /// Reads a value with white space before it, and gives its end.
    #[inline(always)]
    fn value(
        &mut self,
        text: &[u8],
        mut at: u32,
        mut name: Name,
        depth: usize,
    ) -> Result<u32, Stopped> {
        loop {
            let first = byte(text, at);
            if first == Some(b'"') {
                let special = scan::special32(text, at + 1);
                let (mut end, mut flags) = (special + 1, Node::CANONICAL);
                if byte(text, special) != Some(b'"') {
                    end = self.odd_end(text, special)?;
                    self.odd_end = end;
                    flags = Node::ESCAPED;
                }
                self.push(at, end, name, Kind::String, flags);
                return Ok(end);
            }
            let (end, kind) = match first {
                Some(b'{') => {
                    self.push(at, at + 1, name, Kind::Object, 0);
                    return self.object(text, at, depth + 1);
                }
                Some(b'[') => {
                    self.push(at, at + 1, name, Kind::Array, 0);
                    return self.array(text, at, depth + 1);
                }
                Some(b'-' | b'0'..=b'9') => (
                    offset(self.check(scan::number(text, at as usize))?),
                    Kind::Number,
                ),
                Some(b't') => (self.literal(text, at, b"true")?, Kind::Bool),
                Some(b'f') => (self.literal(text, at, b"false")?, Kind::Bool),
                Some(b'n') => (self.literal(text, at, b"null")?, Kind::Null),
                // White space is what nothing else is, so that where there is
                // none it takes no time.
                _ => {
                    at = self.white_space(text, at)?;
                    name.flags &= !Node::JOINED;
                    continue;
                }
            };
            self.push(at, end, name, kind, Node::CANONICAL);
            return Ok(end);
        }
    }

    /// Reads the object of the node added last.
    fn object(&mut self, text: &[u8], start: u32, depth: usize) -> Result<u32, Stopped> {
        self.enter(start, depth)?;
        let node = offset(self.nodes.len()) - 1;
        // One bit for each hash of a member name seen: a clear bit proves that
        // a name is new without looking at the others.
        let mut seen = 0_u64;
        // The last name's first bytes, or `UNSORTED`.
        let mut last = 0_u64;
        // Names are compared all at once in the end.
        let mut compare_late = false;
        let mut at = start + 1;
        if byte(text, at) != Some(b'"') {
            at = self.skip_some(text, at);
            if byte(text, at) == Some(b'}') {
                return Ok(self.close(node, at + 1, true, Node::SORTED));
            }
        }
        loop {
            if byte(text, at) != Some(b'"') {
                at = self.skip_some(text, at);
                if byte(text, at) != Some(b'"') {
                    return Err(self.unexpected(text, at));
                }
            }
            let start = at + 1;
            let (mut end, mut prefix) = scan::plain_name(text, start);
            let mut flags = Node::JOINED;
            let joined = pair(text, end) == Some(*b"\":");
            if !joined {
                let special = end;
                end = self.odd_end(text, special)? - 1;
                flags = 0;
                if end != special {
                    prefix = scan::prefix(text, start, end);
                    flags = Node::NAME_ESCAPED;
                    compare_late = true;
                }
            }
            let bit = 1 << names::hash(prefix);
            if seen & bit != 0 && !compare_late {
                let compared = unique::compare(text, &self.nodes, node + 1, start, end);
                compare_late = self.check(compared)? == unique::PAIRWISE;
            }
            seen |= bit;
            // Equal beginnings may well be in order, but to find out is not
            // worth it: this only says that sorting can be spared.
            last = if last < prefix { prefix } else { UNSORTED };
            at = end + 2;
            if !joined {
                if flags == Node::NAME_ESCAPED {
                    last = UNSORTED;
                }
                at = self.skip(text, end + 1);
                if byte(text, at) != Some(b':') {
                    return Err(self.unexpected(text, at));
                }
                at += 1;
            }
            let name = Name {
                prefix,
                start,
                end,
                flags,
            };
            at = self.value(text, at, name, depth)?;
            loop {
                match byte(text, at) {
                    Some(b',') => break,
                    Some(b'}') => {
                        if compare_late {
                            let unique = unique::compare_all(text, &self.nodes, node, self.names);
                            self.check(unique)?;
                        }
                        let sorted = last != UNSORTED;
                        let flag = if sorted { Node::SORTED } else { 0 };
                        return Ok(self.close(node, at + 1, sorted, flag));
                    }
                    _ => at = self.white_space(text, at)?,
                }
            }
            at += 1;
        }
    }

    /// Reads the array of the node added last.
    fn array(&mut self, text: &[u8], start: u32, depth: usize) -> Result<u32, Stopped> {
        self.enter(start, depth)?;
        let node = offset(self.nodes.len()) - 1;
        let mut at = self.skip(text, start + 1);
        if byte(text, at) == Some(b']') {
            return Ok(self.close(node, at + 1, true, 0));
        }
        loop {
            at = self.value(text, at, NO_NAME, depth)?;
            loop {
                match byte(text, at) {
                    Some(b',') => break,
                    Some(b']') => return Ok(self.close(node, at + 1, true, 0)),
                    _ => at = self.white_space(text, at)?,
                }
            }
            at += 1;
        }
    }

    #[inline(always)]
    fn enter(&mut self, start: u32, depth: usize) -> Result<(), Stopped> {
        if depth > self.depth {
            if depth > self.max_depth {
                return Err(self.stop(Error::new(ErrorKind::TooDeep, start as usize)));
            }
            self.depth = depth;
        }
        Ok(())
    }

    /// Completes a container, and gives its end.
    #[inline(always)]
    fn close(&mut self, node: u32, end: u32, sorted: bool, flags: u8) -> u32 {
        let next = offset(self.nodes.len());
        let node = &mut self.nodes[node as usize];
        (node.end, node.next) = (end, next);
        node.flags |= flags;
        if sorted && self.odd_end <= node.start {
            node.flags |= Node::CANONICAL;
        } else {
            self.odd_end = end;
        }
        end
    }

    #[inline(always)]
    fn push(&mut self, start: u32, end: u32, name: Name, kind: Kind, flags: u8) {
        let node = Node {
            name_prefix: name.prefix,
            name_start: name.start,
            name_end: name.end,
            start,
            end,
            next: offset(self.nodes.len()) + 1,
            anchor: 0,
            end_anchor: 0,
            kind,
            flags: name.flags | flags,
        };
        self.nodes.push(node);
    }

    #[inline]
    fn literal(&mut self, text: &[u8], at: u32, word: &'static [u8]) -> Result<u32, Stopped> {
        Ok(offset(self.check(scan::literal(
            text,
            at as usize,
            word,
        ))?))
    }

    /// The end of a string, from its first quote, escape or control character on.
    #[cold]
    #[inline(never)]
    fn odd_end(&mut self, text: &[u8], special: u32) -> Result<u32, Stopped> {
        Ok(offset(
            self.check(scan::odd_string(text, special as usize))?,
        ))
    }

    /// Offset after the white space at `at`, if there is any.
    #[inline(always)]
    fn skip(&mut self, text: &[u8], at: u32) -> u32 {
        match byte(text, at) {
            Some(0..=b' ') => self.skip_some(text, at),
            _ => at,
        }
    }

    #[cold]
    #[inline(never)]
    fn skip_some(&mut self, text: &[u8], at: u32) -> u32 {
        let end = offset(scan::white_space(text, at as usize));
        if end > at {
            (self.spaced, self.odd_end) = (true, end);
        }
        end
    }

    /// Offset after the white space at `at`, where nothing else can stand.
    #[cold]
    #[inline(never)]
    fn white_space(&mut self, text: &[u8], at: u32) -> Result<u32, Stopped> {
        let end = self.skip_some(text, at);
        if end == at {
            return Err(self.unexpected(text, at));
        }
        Ok(end)
    }

    /// What was found, if the text is right.
    #[inline(always)]
    fn check<T>(&mut self, found: Result<T, Error>) -> Result<T, Stopped> {
        found.map_err(|error| self.stop(error))
    }

    /// Stops for a byte at `at` that can't stand there, or for no byte.
    #[cold]
    fn unexpected(&mut self, text: &[u8], at: u32) -> Stopped {
        self.stop(match byte(text, at) {
            Some(_) => Error::new(ErrorKind::UnexpectedByte, at as usize),
            None => Error::new(ErrorKind::UnexpectedEnd, text.len()),
        })
    }

    #[cold]
    fn stop(&mut self, error: Error) -> Stopped {
        self.error = error;
        Stopped
    }
}

#[inline(always)]
fn pair(text: &[u8], at: u32) -> Option<[u8; 2]> {
    text.get(at as usize..at as usize + 2)?.try_into().ok()
}

#[inline(always)]
fn byte(text: &[u8], at: u32) -> Option<u8> {
    text.get(at as usize).copied()
}

/// Texts are shorter than 4 GiB, and so is everything counted in them.
#[inline]
const fn offset(value: usize) -> u32 {
    value as u32
}
