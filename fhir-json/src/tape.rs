//! The tape: one node a value, in text order.

use crate::error::{Error, ErrorKind};
use crate::scan;
use crate::text;
use crate::value::{Document, Kind};

/// Deepest nesting of arrays and objects that [`Tape::parse`] accepts.
pub const MAX_DEPTH: usize = 128;

/// Buffers for parsing, reused from text to text.
///
/// Once a tape has seen a text of a size, parsing another of that size
/// allocates nothing.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    frames: Vec<Frame>,
    names: Vec<u32>,
}

/// A value: where it stands, where its member name stands, and where the
/// value after it (and all it holds) begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Member name without its quotes; `0..0` for elements and the root,
    /// whose span can't be empty at zero inside an object.
    pub(crate) name_start: u32,
    pub(crate) name_end: u32,
    /// The value's text, quotes and brackets included.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Index of the first node that is not inside this one.
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
}

impl Node {
    /// The text of the value is its canonical form.
    pub(crate) const CANONICAL: u8 = 1;
    /// A string with an escape.
    pub(crate) const ESCAPED: u8 = 2;
    /// The member name has an escape.
    pub(crate) const NAME_ESCAPED: u8 = 4;

    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// An open array or object.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: u32,
    members: u32,
    /// One bit for each hash of a member name seen: a clear bit proves that
    /// a name is new without looking at the others.
    seen: u64,
    last_name: (u32, u32),
    object: bool,
    canonical: bool,
    /// Names are compared all at once when the object closes.
    compare_late: bool,
}

/// Objects with more members than this have their names sorted to find
/// duplicates, since comparing pairs would be quadratic.
const PAIRWISE: u32 = 32;

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Validates `text` as one JSON value with white space around it.
    ///
    /// # Errors
    /// Everything that RFC 8259 forbids, and beyond it what FHIR JSON does:
    /// duplicate member names; also lone surrogates, and nesting deeper than
    /// [`MAX_DEPTH`]. See [`ErrorKind`].
    pub fn parse<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, Error> {
        self.parse_nested(text, MAX_DEPTH)
    }

    /// [`parse`](Self::parse) with another limit on nesting. The root array
    /// or object is level 1.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_nested<'a>(
        &'a mut self,
        text: &'a [u8],
        max_depth: usize,
    ) -> Result<Document<'a>, Error> {
        let valid = std::str::from_utf8(text)
            .map_err(|error| Error::new(ErrorKind::InvalidUtf8, error.valid_up_to()))?;
        if u32::try_from(text.len()).is_err() {
            return Err(Error::new(ErrorKind::TooLong, 0));
        }
        self.nodes.clear();
        self.frames.clear();
        let mut builder = Builder {
            text,
            tape: self,
            max_depth,
            depth: 0,
            last_space: None,
        };
        builder.build()?;
        let (depth, spaced) = (builder.depth, builder.last_space.is_some());
        Ok(Document::new(valid, &self.nodes, depth, spaced))
    }
}

struct Builder<'t> {
    text: &'t [u8],
    tape: &'t mut Tape,
    max_depth: usize,
    /// Deepest nesting so far.
    depth: usize,
    /// Offset of the last white space outside of strings.
    last_space: Option<usize>,
}

/// What follows a comma or an opening bracket.
struct Name {
    start: u32,
    end: u32,
    flags: u8,
}

const NO_NAME: Name = Name {
    start: 0,
    end: 0,
    flags: 0,
};

impl Builder<'_> {
    fn build(&mut self) -> Result<(), Error> {
        let mut at = self.skip(0);
        let mut name = NO_NAME;
        loop {
            let closed;
            (at, closed) = match self.text.get(at) {
                Some(b'"') => self.string(at, &name)?,
                Some(b'{') => self.open(at, &name, true)?,
                Some(b'[') => self.open(at, &name, false)?,
                Some(b'-' | b'0'..=b'9') => (
                    self.leaf(at, scan::number(self.text, at)?, &name, Kind::Number),
                    true,
                ),
                Some(b't') => (
                    self.leaf(
                        at,
                        scan::literal(self.text, at, b"true")?,
                        &name,
                        Kind::Bool,
                    ),
                    true,
                ),
                Some(b'f') => (
                    self.leaf(
                        at,
                        scan::literal(self.text, at, b"false")?,
                        &name,
                        Kind::Bool,
                    ),
                    true,
                ),
                Some(b'n') => (
                    self.leaf(
                        at,
                        scan::literal(self.text, at, b"null")?,
                        &name,
                        Kind::Null,
                    ),
                    true,
                ),
                Some(_) => return Err(Error::new(ErrorKind::UnexpectedByte, at)),
                None => return Err(Error::new(ErrorKind::UnexpectedEnd, self.text.len())),
            };
            if !closed {
                // A container was opened; an empty one closes at once.
                let object = self.tape.frames.last().is_some_and(|frame| frame.object);
                at = self.skip(at);
                if self.text.get(at) == Some(if object { &b'}' } else { &b']' }) {
                    at = self.close(at + 1)?;
                } else {
                    (at, name) = self.name(at, object)?;
                    continue;
                }
            }
            // A value has ended: what follows it belongs to its container.
            loop {
                let Some(frame) = self.tape.frames.last() else {
                    let end = self.skip(at);
                    if end < self.text.len() {
                        return Err(Error::new(ErrorKind::TrailingContent, end));
                    }
                    return Ok(());
                };
                let object = frame.object;
                at = self.skip(at);
                match self.text.get(at) {
                    Some(b',') => {
                        let next = self.skip(at + 1);
                        (at, name) = self.name(next, object)?;
                        break;
                    }
                    Some(b'}') if object => at = self.close(at + 1)?,
                    Some(b']') if !object => at = self.close(at + 1)?,
                    Some(_) => return Err(Error::new(ErrorKind::UnexpectedByte, at)),
                    None => return Err(Error::new(ErrorKind::UnexpectedEnd, self.text.len())),
                }
            }
        }
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

    /// The member name at `at` (nothing for array elements) and the offset of
    /// the value it names.
    #[inline]
    fn name(&mut self, at: usize, object: bool) -> Result<(usize, Name), Error> {
        if !object {
            return Ok((at, NO_NAME));
        }
        match self.text.get(at) {
            Some(b'"') => {}
            Some(_) => return Err(Error::new(ErrorKind::UnexpectedByte, at)),
            None => return Err(Error::new(ErrorKind::UnexpectedEnd, self.text.len())),
        }
        let (after, escaped) = scan::string(self.text, at)?;
        let name = Name {
            start: offset(at + 1),
            end: offset(after - 1),
            flags: if escaped { Node::NAME_ESCAPED } else { 0 },
        };
        self.new_name(&name)?;
        let colon = self.skip(after);
        match self.text.get(colon) {
            Some(b':') => Ok((self.skip(colon + 1), name)),
            Some(_) => Err(Error::new(ErrorKind::UnexpectedByte, colon)),
            None => Err(Error::new(ErrorKind::UnexpectedEnd, self.text.len())),
        }
    }

    /// Proves that a name is new in its object, or leaves it to the close.
    #[inline]
    fn new_name(&mut self, name: &Name) -> Result<(), Error> {
        let Some(frame) = self.tape.frames.last_mut() else {
            return Ok(());
        };
        let bytes = &self.text[name.start as usize..name.end as usize];
        let last = &self.text[frame.last_name.0 as usize..frame.last_name.1 as usize];
        frame.canonical &= frame.members == 0 || last < bytes;
        frame.last_name = (name.start, name.end);
        frame.members += 1;
        frame.compare_late |= name.flags != 0 || frame.members > PAIRWISE;
        frame.canonical &= name.flags == 0;
        let bit = 1 << name_hash(bytes);
        let collides = frame.seen & bit != 0;
        frame.seen |= bit;
        if collides && !frame.compare_late {
            let first = frame.node + 1;
            self.compare_pairwise(first, name)?;
        }
        Ok(())
    }

    fn compare_pairwise(&self, first: u32, name: &Name) -> Result<(), Error> {
        let bytes = &self.text[name.start as usize..name.end as usize];
        let mut index = first as usize;
        while let Some(node) = self.tape.nodes.get(index) {
            if &self.text[node.name_start as usize..node.name_end as usize] == bytes {
                return Err(Error::new(
                    ErrorKind::DuplicateName,
                    name.start as usize - 1,
                ));
            }
            index = node.next as usize;
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, at: usize, name: &Name) -> Result<(usize, bool), Error> {
        let (end, escaped) = scan::string(self.text, at)?;
        self.leaf(at, end, name, Kind::String);
        if escaped {
            if let Some(node) = self.tape.nodes.last_mut() {
                node.flags = node.flags & !Node::CANONICAL | Node::ESCAPED;
            }
            if let Some(frame) = self.tape.frames.last_mut() {
                frame.canonical = false;
            }
        }
        Ok((end, true))
    }

    #[inline]
    fn leaf(&mut self, start: usize, end: usize, name: &Name, kind: Kind) -> usize {
        let next = offset(self.tape.nodes.len() + 1);
        self.tape.nodes.push(Node {
            name_start: name.start,
            name_end: name.end,
            start: offset(start),
            end: offset(end),
            next,
            kind,
            flags: name.flags | Node::CANONICAL,
        });
        end
    }

    #[inline]
    fn open(&mut self, at: usize, name: &Name, object: bool) -> Result<(usize, bool), Error> {
        if self.tape.frames.len() >= self.max_depth {
            return Err(Error::new(ErrorKind::TooDeep, at));
        }
        self.tape.frames.push(Frame {
            node: offset(self.tape.nodes.len()),
            members: 0,
            seen: 0,
            last_name: (0, 0),
            object,
            canonical: true,
            compare_late: false,
        });
        self.depth = self.depth.max(self.tape.frames.len());
        let kind = if object { Kind::Object } else { Kind::Array };
        self.leaf(at, at + 1, name, kind);
        Ok((at + 1, false))
    }

    /// Completes the innermost container; `end` is after its bracket.
    #[inline]
    fn close(&mut self, end: usize) -> Result<usize, Error> {
        let Some(frame) = self.tape.frames.pop() else {
            return Ok(end);
        };
        if frame.compare_late {
            self.compare_sorted(frame.node)?;
        }
        let next = offset(self.tape.nodes.len());
        let node = &mut self.tape.nodes[frame.node as usize];
        node.end = offset(end);
        node.next = next;
        let spaced = self
            .last_space
            .is_some_and(|space| space > node.start as usize);
        if !frame.canonical || spaced {
            node.flags &= !Node::CANONICAL;
            if let Some(parent) = self.tape.frames.last_mut() {
                parent.canonical = false;
            }
        }
        Ok(end)
    }

    /// Finds a duplicate among all names of an object by sorting them.
    fn compare_sorted(&mut self, object: u32) -> Result<(), Error> {
        let Tape { nodes, names, .. } = &mut *self.tape;
        names.clear();
        let mut index = object as usize + 1;
        while let Some(node) = nodes.get(index) {
            names.push(offset(index));
            index = node.next as usize;
        }
        let text = self.text;
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
}

/// Six bits of a name: its first eight bytes and its length.
#[inline]
fn name_hash(name: &[u8]) -> u32 {
    let word = match name.first_chunk::<8>() {
        Some(first) => u64::from_le_bytes(*first),
        None => name
            .iter()
            .fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    let mixed = (word ^ (name.len() as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 58) as u32
}

/// Texts are shorter than 4 GiB, and so is everything counted in them.
#[inline]
const fn offset(value: usize) -> u32 {
    value as u32
}
