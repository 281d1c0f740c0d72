//! One pass over the bytes, checking and writing the tape.

use crate::error::{Error, ErrorKind};
use crate::scan;
use crate::tape::{Node, Tape};
use crate::text;
use crate::value::Kind;

/// Fills `tape` from a text shorter than 4 GiB.
pub(crate) fn parse(text: &[u8], max_depth: usize, tape: &mut Tape) -> Result<(), Error> {
    tape.nodes.clear();
    tape.frames.clear();
    tape.frames.push(Frame::new(0, Inside::Nothing));
    let mut builder = Builder {
        text,
        tape,
        max_depth,
        depth: 0,
        last_space: None,
    };
    builder.build()?;
    let (depth, spaced) = (builder.depth, builder.last_space.is_some());
    (tape.depth, tape.spaced) = (depth, spaced);
    Ok(())
}

/// An open array or object, or what is around the root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    node: u32,
    /// One bit for each hash of a member name seen: a clear bit proves that
    /// a name is new without looking at the others.
    seen: u64,
    /// The last name's first bytes, see [`scan::prefix`].
    last: u64,
    inside: Inside,
    /// Every value so far is canonical.
    canonical: bool,
    /// Every name so far is without escape and sorts after the one before.
    sorted: bool,
    /// Names are compared all at once when the object closes.
    compare_late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    Array,
    Object,
}

impl Frame {
    const fn new(node: u32, inside: Inside) -> Self {
        Self {
            node,
            seen: 0,
            last: 0,
            inside,
            canonical: true,
            sorted: true,
            compare_late: false,
        }
    }
}

/// Objects with more members than this have their names sorted to find
/// duplicates, since comparing pairs would be quadratic.
const PAIRWISE: u32 = 32;

struct Builder<'t> {
    text: &'t [u8],
    tape: &'t mut Tape,
    max_depth: usize,
    /// Deepest nesting so far.
    depth: usize,
    /// Offset of the last white space outside of strings.
    last_space: Option<usize>,
}

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

impl Builder<'_> {
    fn build(&mut self) -> Result<(), Error> {
        let mut at = self.skip(0);
        let mut name = NO_NAME;
        loop {
            at = match self.text.get(at) {
                Some(b'"') => self.string(at, name)?,
                Some(b'{') => {
                    let first = self.open(at, name, Inside::Object)?;
                    if self.text.get(first) != Some(&b'}') {
                        (at, name) = self.name(first)?;
                        continue;
                    }
                    first
                }
                Some(b'[') => {
                    let first = self.open(at, name, Inside::Array)?;
                    if self.text.get(first) != Some(&b']') {
                        (at, name) = (first, NO_NAME);
                        continue;
                    }
                    first
                }
                Some(b'-' | b'0'..=b'9') => {
                    let end = scan::number(self.text, at)?;
                    self.leaf(at, end, name, Kind::Number)
                }
                Some(b't') => self.literal(at, b"true", name, Kind::Bool)?,
                Some(b'f') => self.literal(at, b"false", name, Kind::Bool)?,
                Some(b'n') => self.literal(at, b"null", name, Kind::Null)?,
                _ => return Err(unexpected(self.text, at)),
            };
            // A value or an empty container's bracket has ended: what follows
            // belongs to the innermost container.
            loop {
                at = self.skip(at);
                match (self.text.get(at), self.frame().inside) {
                    (Some(b','), Inside::Object) => {
                        let next = self.skip(at + 1);
                        (at, name) = self.name(next)?;
                        break;
                    }
                    (Some(b','), Inside::Array) => {
                        (at, name) = (self.skip(at + 1), NO_NAME);
                        break;
                    }
                    (Some(b'}'), Inside::Object) | (Some(b']'), Inside::Array) => {
                        at = self.close(at + 1)?;
                    }
                    (None, Inside::Nothing) => return Ok(()),
                    (Some(_), Inside::Nothing) => {
                        return Err(Error::new(ErrorKind::TrailingContent, at));
                    }
                    _ => return Err(unexpected(self.text, at)),
                }
            }
        }
    }

    /// The innermost open container.
    // Changed where it stands: copied to and fro, its parts would have to be
    // written before the whole can be read again, and the loop waits for it.
    #[inline(always)]
    fn frame(&mut self) -> &mut Frame {
        let last = self.tape.frames.len() - 1;
        &mut self.tape.frames[last]
    }

    #[inline]
    fn skip(&mut self, at: usize) -> usize {
        match self.text.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => {
                let end = scan::white_space(self.text, at);
                self.last_space = Some(end - 1);
                end
            }
            _ => at,
        }
    }

    /// The member name at `at` and the offset of the value it names.
    #[inline(always)]
    fn name(&mut self, at: usize) -> Result<(usize, Name), Error> {
        if self.text.get(at) != Some(&b'"') {
            return Err(unexpected(self.text, at));
        }
        let (after, escaped) = scan::string(self.text, at)?;
        let (start, end) = (offset(at + 1), offset(after - 1));
        let mut name = Name {
            prefix: scan::prefix(self.text, start, end),
            start,
            end,
            flags: if escaped { Node::NAME_ESCAPED } else { 0 },
        };
        self.new_name(name)?;
        let colon = self.skip(after);
        if self.text.get(colon) != Some(&b':') {
            return Err(unexpected(self.text, colon));
        }
        let value = self.skip(colon + 1);
        if value == after + 1 && !escaped {
            name.flags = Node::JOINED;
        }
        Ok((value, name))
    }

    /// Proves that a name is new in its object, or leaves it to the close.
    #[inline(always)]
    fn new_name(&mut self, name: Name) -> Result<(), Error> {
        let bit = 1 << hash(name.prefix, name.end - name.start);
        let frame = self.frame();
        // Equal beginnings may well be in order, but to find out is not worth
        // it: the flag only says that sorting can be spared.
        frame.sorted &= frame.last < name.prefix;
        frame.last = name.prefix;
        let collides = frame.seen & bit != 0;
        frame.seen |= bit;
        if name.flags != 0 {
            frame.sorted = false;
            frame.compare_late = true;
        } else if collides && !frame.compare_late {
            let first = frame.node + 1;
            let compared = compare_pairwise(self.text, &self.tape.nodes, first, name)?;
            self.frame().compare_late = compared == PAIRWISE;
        }
        Ok(())
    }

    #[inline(always)]
    fn string(&mut self, at: usize, name: Name) -> Result<usize, Error> {
        let (end, escaped) = scan::string(self.text, at)?;
        if escaped {
            self.frame().canonical = false;
            self.push(at, end, name, Kind::String, Node::ESCAPED);
        } else {
            self.push(at, end, name, Kind::String, Node::CANONICAL);
        }
        Ok(end)
    }

    fn literal(
        &mut self,
        at: usize,
        word: &'static [u8],
        name: Name,
        kind: Kind,
    ) -> Result<usize, Error> {
        let end = scan::literal(self.text, at, word)?;
        Ok(self.leaf(at, end, name, kind))
    }

    #[inline]
    fn leaf(&mut self, start: usize, end: usize, name: Name, kind: Kind) -> usize {
        self.push(start, end, name, kind, Node::CANONICAL);
        end
    }

    #[inline(always)]
    fn push(&mut self, start: usize, end: usize, name: Name, kind: Kind, flags: u8) {
        let next = offset(self.tape.nodes.len() + 1);
        self.tape.nodes.push(Node {
            name_prefix: name.prefix,
            name_start: name.start,
            name_end: name.end,
            start: offset(start),
            end: offset(end),
            next,
            kind,
            flags: name.flags | flags,
        });
    }

    #[inline(always)]
    fn open(&mut self, at: usize, name: Name, inside: Inside) -> Result<usize, Error> {
        let depth = self.tape.frames.len();
        if depth > self.max_depth {
            return Err(Error::new(ErrorKind::TooDeep, at));
        }
        self.depth = self.depth.max(depth);
        let node = offset(self.tape.nodes.len());
        self.tape.frames.push(Frame::new(node, inside));
        let kind = match inside {
            Inside::Object => Kind::Object,
            _ => Kind::Array,
        };
        self.push(at, at + 1, name, kind, Node::CANONICAL);
        Ok(self.skip(at + 1))
    }

    /// Completes the innermost container; `end` is after its bracket.
    #[inline(always)]
    fn close(&mut self, end: usize) -> Result<usize, Error> {
        let frame = *self.frame();
        self.tape.frames.pop();
        if frame.compare_late {
            compare_sorted(self.text, self.tape, frame.node)?;
        }
        let next = offset(self.tape.nodes.len());
        let node = &mut self.tape.nodes[frame.node as usize];
        node.end = offset(end);
        node.next = next;
        let spaced = self
            .last_space
            .is_some_and(|space| space > node.start as usize);
        if frame.sorted {
            node.flags |= Node::SORTED;
        }
        if !frame.canonical || !frame.sorted || spaced {
            node.flags &= !Node::CANONICAL;
            self.frame().canonical = false;
        }
        Ok(end)
    }
}

/// The error for a byte at `at` that can't stand there, or for no byte.
#[cold]
fn unexpected(text: &[u8], at: usize) -> Error {
    match text.get(at) {
        Some(_) => Error::new(ErrorKind::UnexpectedByte, at),
        None => Error::new(ErrorKind::UnexpectedEnd, text.len()),
    }
}

/// Compares a name with others of its object, the members of which begin at
/// node `first`; gives the number of these, [`PAIRWISE`] at most.
#[cold]
#[inline(never)]
fn compare_pairwise(text: &[u8], nodes: &[Node], first: u32, name: Name) -> Result<u32, Error> {
    let bytes = &text[name.start as usize..name.end as usize];
    let mut index = first as usize;
    for compared in 0..PAIRWISE {
        let Some(node) = nodes.get(index) else {
            return Ok(compared);
        };
        if &text[node.name_start as usize..node.name_end as usize] == bytes {
            let at = name.start as usize - 1;
            return Err(Error::new(ErrorKind::DuplicateName, at));
        }
        index = node.next as usize;
    }
    Ok(PAIRWISE)
}

/// Finds a duplicate among all names of an object, the last container, by
/// sorting them.
#[cold]
fn compare_sorted(text: &[u8], tape: &mut Tape, object: u32) -> Result<(), Error> {
    let Tape { nodes, names, .. } = tape;
    names.clear();
    let mut index = object as usize + 1;
    while let Some(node) = nodes.get(index) {
        names.push(offset(index));
        index = node.next as usize;
    }
    let unescaped = |index: u32| {
        let node = &nodes[index as usize];
        text::unescape(
            &text[node.name_start as usize..node.name_end as usize],
            node.has(Node::NAME_ESCAPED),
        )
    };
    names.sort_unstable_by(|&a, &b| unescaped(a).cmp(&unescaped(b)).then(a.cmp(&b)));
    let duplicate = names
        .windows(2)
        .filter(|pair| unescaped(pair[0]) == unescaped(pair[1]))
        .map(|pair| nodes[pair[1] as usize].name_start as usize - 1)
        .min();
    duplicate.map_or(Ok(()), |at| Err(Error::new(ErrorKind::DuplicateName, at)))
}

/// Six bits for a name, from its beginning and its length.
#[inline]
const fn hash(prefix: u64, length: u32) -> u32 {
    let mixed = (prefix ^ length as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 58) as u32
}

/// Texts are shorter than 4 GiB, and so is everything counted in them.
#[inline]
const fn offset(value: usize) -> u32 {
    value as u32
}
