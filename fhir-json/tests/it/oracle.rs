//! A second, naive reader of RFC 8259 to compare verdicts and trees with.

use crate::tree::Tree;

/// A text that the grammar of RFC 8259 allows, and what else is true of it.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) tree: Tree,
    pub(crate) duplicate_name: bool,
    pub(crate) lone_surrogate: bool,
    pub(crate) depth: usize,
}

impl Reading {
    /// Whether the crate promises to accept the text.
    pub(crate) const fn is_acceptable(&self) -> bool {
        !self.duplicate_name && !self.lone_surrogate && self.depth <= fhir_json::MAX_DEPTH
    }
}

/// `None` where the bytes are no JSON text at all.
pub(crate) fn read(text: &[u8]) -> Option<Reading> {
    let mut reader = Reader {
        rest: std::str::from_utf8(text).ok()?,
        duplicate_name: false,
        lone_surrogate: false,
        depth: 0,
    };
    let tree = reader.value(0)?;
    reader.rest.is_empty().then_some(Reading {
        tree,
        duplicate_name: reader.duplicate_name,
        lone_surrogate: reader.lone_surrogate,
        depth: reader.depth,
    })
}

struct Reader<'t> {
    rest: &'t str,
    duplicate_name: bool,
    lone_surrogate: bool,
    depth: usize,
}

impl Reader<'_> {
    /// A value with the white space around it; `depth` containers are open.
    fn value(&mut self, depth: usize) -> Option<Tree> {
        self.space();
        self.depth = self.depth.max(depth);
        let tree = if self.eat("null") {
            Tree::Null
        } else if self.eat("true") {
            Tree::Bool(true)
        } else if self.eat("false") {
            Tree::Bool(false)
        } else if self.eat("\"") {
            Tree::String(self.string()?)
        } else if self.eat("[") {
            Tree::Array(self.array(depth + 1)?)
        } else if self.eat("{") {
            Tree::Object(self.object(depth + 1)?)
        } else {
            Tree::Number(self.number()?)
        };
        self.space();
        Some(tree)
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Tree>> {
        self.depth = self.depth.max(depth);
        let mut elements = Vec::new();
        self.space();
        if self.eat("]") {
            return Some(elements);
        }
        loop {
            elements.push(self.value(depth)?);
            if self.eat("]") {
                return Some(elements);
            }
            self.expect(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(String, Tree)>> {
        self.depth = self.depth.max(depth);
        let mut members: Vec<(String, Tree)> = Vec::new();
        self.space();
        if self.eat("}") {
            return Some(members);
        }
        loop {
            self.space();
            self.expect("\"")?;
            let name = self.string()?;
            self.duplicate_name |= members.iter().any(|(other, _)| *other == name);
            self.space();
            self.expect(":")?;
            members.push((name, self.value(depth)?));
            if self.eat("}") {
                return Some(members);
            }
            self.expect(",")?;
        }
    }

    /// What follows an opening quote.
    fn string(&mut self) -> Option<String> {
        let mut units = Vec::new();
        loop {
            match self.next()? {
                '"' => break,
                '\\' => units.push(match self.next()? {
                    simple @ ('"' | '\\' | '/') => simple as u16,
                    'b' => 8,
                    'f' => 12,
                    'n' => 10,
                    'r' => 13,
                    't' => 9,
                    'u' => self.four_digits()?,
                    _ => return None,
                }),
                '\0'..='\x1f' => return None,
                literal => units.extend_from_slice(literal.encode_utf16(&mut [0; 2])),
            }
        }
        // Names that differ in lone halves alone are told apart by nobody:
        // such texts are refused anyway.
        Some(String::from_utf16(&units).unwrap_or_else(|_| {
            self.lone_surrogate = true;
            String::from_utf16_lossy(&units)
        }))
    }

    fn four_digits(&mut self) -> Option<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit * 16 + self.next()?.to_digit(16)?;
        }
        u16::try_from(unit).ok()
    }

    fn number(&mut self) -> Option<String> {
        let start = self.rest;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.eat(".") {
            self.digits()?;
        }
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("+") || self.eat("-");
            self.digits()?;
        }
        Some(start[..start.len() - self.rest.len()].to_owned())
    }

    fn digits(&mut self) -> Option<()> {
        let after = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let some = after.len() < self.rest.len();
        self.rest = after;
        some.then_some(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.eat(token).then_some(())
    }

    fn eat(&mut self, token: &str) -> bool {
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }
}
