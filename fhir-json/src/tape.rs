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
    pub(crate) nodes: Vec<Node>,
    /// Deepest nesting of the text parsed last.
    pub(crate) depth: usize,
    /// Whether that text has white space outside of strings.
    pub(crate) spaced: bool,
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

/// An open array or object, or what is around the root.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: u32,
    members: u32,
    /// One bit for each hash of a member name seen: a clear bit proves that
    /// a name is new without looking at the others.
    seen: u64,
    /// The last name's first bytes, see [`scan::prefix`].
    last: u64,
    inside: Inside,
    canonical: bool,
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
            members: 0,
            seen: 0,
            last: 0,
            inside,
            canonical: true,
            compare_late: false,
        }
    }
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
            frame: Frame::new(0, Inside::Nothing),
            max_depth,
            depth: 0,
            last_space: None,
        };
        builder.build()?;
        (self.depth, self.spaced) = (builder.depth, builder.last_space.is_some());
        Ok(Document::new(valid, self))
    }
}

struct Builder<'t> {
    text: &'t [u8],
    tape: &'t mut Tape,
    /// The innermost open container; those around it are in the tape.
    frame: Frame,
    max_depth: usize,
    /// Deepest nesting so far.
    depth: usize,
    /// Offset of the last white space outside of strings.
    last_space: Option<usize>,
}

/// The name of a member, or nothing for elements and the root.
#[derive(Clone, Copy)]
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
            at = match self.text.get(at) {
                Some(b'"') => self.string(at, name)?,
                Some(b'{') => match self.open(at, name, Inside::Object)? {
                    Opened::Empty(end) => end,
                    Opened::First(first) => {
                        (at, name) = self.name(first)?;
                        continue;
                    }
                },
                Some(b'[') => match self.open(at, name, Inside::Array)? {
                    Opened::Empty(end) => end,
                    Opened::First(first) => {
                        (at, name) = (first, NO_NAME);
                        continue;
                    }
                },
                Some(b'-' | b'0'..=b'9') => {
                    let end = scan::number(self.text, at)?;
                    self.leaf(at, end, name, Kind::Number)
                }
                Some(b't') => self.literal(at, b"true", name, Kind::Bool)?,
                Some(b'f') => self.literal(at, b"false", name, Kind::Bool)?,
                Some(b'n') => self.literal(at, b"null", name, Kind::Null)?,
                _ => return Err(self.unexpected(at)),
            };
            // A value has ended: what follows belongs to its container.
            loop {
                at = self.skip(at);
                match (self.text.get(at), self.frame.inside) {
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
                    _ => return Err(self.unexpected(at)),
                }
            }
        }
    }

    /// The error for a byte at `at` that can't stand there, or for no byte.
    #[cold]
    fn unexpected(&self, at: usize) -> Error {
        match self.text.get(at) {
            Some(_) => Error::new(ErrorKind::UnexpectedByte, at),
            None => Error::new(ErrorKind::UnexpectedEnd, self.text.len()),
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

    /// The member name at `at` and the offset of the value it names.
    #[inline(always)]
    fn name(&mut self, at: usize) -> Result<(usize, Name), Error> {
        if self.text.get(at) != Some(&b'"') {
            return Err(self.unexpected(at));
        }
        let (after, escaped) = scan::string(self.text, at)?;
        let flags = if escaped { Node::NAME_ESCAPED } else { 0 };
        let name = Name {
            start: offset(at + 1),
            end: offset(after - 1),
            flags,
        };
        self.new_name(name)?;
        let colon = self.skip(after);
        if self.text.get(colon) != Some(&b':') {
            return Err(self.unexpected(colon));
        }
        Ok((self.skip(colon + 1), name))
    }

    /// Proves that a name is new in its object, or leaves it to the close.
    #[inline(always)]
    fn new_name(&mut self, name: Name) -> Result<(), Error> {
        let prefix = scan::prefix(self.text, name.start, name.end);
        let bit = 1 << hash(prefix, name.end - name.start);
        let frame = &mut self.frame;
        // Equal beginnings may well be in order, but to find out is not worth
        // it: the flag only says that sorting can be spared.
        frame.canonical &= name.flags == 0 && (frame.last < prefix || frame.members == 0);
        frame.last = prefix;
        frame.members += 1;
        frame.compare_late |= name.flags != 0 || frame.members > PAIRWISE;
        let collides = frame.seen & bit != 0;
        frame.seen |= bit;
        if collides && !frame.compare_late {
            return self.compare_pairwise(self.frame.node + 1, name);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn compare_pairwise(&self, first: u32, name: Name) -> Result<(), Error> {
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

    #[inline(always)]
    fn string(&mut self, at: usize, name: Name) -> Result<usize, Error> {
        let (end, escaped) = scan::string(self.text, at)?;
        if escaped {
            self.frame.canonical = false;
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
    fn open(&mut self, at: usize, name: Name, inside: Inside) -> Result<Opened, Error> {
        if self.tape.frames.len() >= self.max_depth {
            return Err(Error::new(ErrorKind::TooDeep, at));
        }
        let node = offset(self.tape.nodes.len());
        self.tape.frames.push(self.frame);
        self.depth = self.depth.max(self.tape.frames.len());
        self.frame = Frame::new(node, inside);
        let (kind, bracket) = match inside {
            Inside::Object => (Kind::Object, b'}'),
            _ => (Kind::Array, b']'),
        };
        self.push(at, at + 1, name, kind, Node::CANONICAL);
        let first = self.skip(at + 1);
        if self.text.get(first) == Some(&bracket) {
            return Ok(Opened::Empty(self.close(first + 1)?));
        }
        Ok(Opened::First(first))
    }

    /// Completes the innermost container; `end` is after its bracket.
    #[inline]
    fn close(&mut self, end: usize) -> Result<usize, Error> {
        let frame = self.frame;
        if let Some(outer) = self.tape.frames.pop() {
            self.frame = outer;
        }
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
            self.frame.canonical = false;
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

/// Where parsing goes on after an opening bracket.
enum Opened {
    /// The container was closed at once.
    Empty(usize),
    /// Its first name or element.
    First(usize),
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
