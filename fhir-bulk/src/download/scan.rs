use memchr::memchr2;

/// Finds the value of `resourceType` among the members of one object, whatever
/// comes before it and however the text is cut.
pub(super) struct Scanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Whether the next string of the object itself is a value.
    at_value: bool,
    /// Whether that value is the one looked for.
    wanted: bool,
    /// The string being read, if it is one of the object itself.
    word: [u8; 64],
    length: usize,
}

pub(super) enum Scan {
    More,
    /// The type is [`Scanner::word`].
    Type,
    /// There is none that can be read.
    Nothing,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            depth: 0,
            in_string: false,
            escaped: false,
            at_value: false,
            wanted: false,
            word: [0; 64],
            length: 0,
        }
    }

    pub(super) fn word(&self) -> &[u8] {
        &self.word[..self.length.min(self.word.len())]
    }

    pub(super) fn feed(&mut self, text: &[u8]) -> Scan {
        let mut at = 0;
        while at < text.len() {
            if self.in_string && !self.escaped && self.depth > 1 {
                // Nothing to remember: on to the end of the string.
                match memchr2(b'"', b'\\', &text[at..]) {
                    None => return Scan::More,
                    Some(next) => at += next,
                }
            }
            let byte = text[at];
            at += 1;
            if self.in_string {
                if self.string_byte(byte) {
                    return if self.fits() {
                        Scan::Type
                    } else {
                        Scan::Nothing
                    };
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    self.length = 0;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Scan::Nothing;
                    }
                }
                b':' if self.depth == 1 => {
                    self.at_value = true;
                    self.wanted = self.word() == b"resourceType";
                }
                b',' if self.depth == 1 => {
                    self.at_value = false;
                    self.wanted = false;
                }
                _ => {}
            }
        }
        Scan::More
    }

    /// Takes a byte of a string; `true` at the end of the one looked for.
    fn string_byte(&mut self, byte: u8) -> bool {
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
            // Names and types need no escapes: too long to be either.
            self.length = self.word.len() + 1;
            return false;
        } else if byte == b'"' {
            self.in_string = false;
            return self.depth == 1 && self.at_value && self.wanted;
        }
        if self.depth == 1 {
            if let Some(place) = self.word.get_mut(self.length) {
                *place = byte;
            }
            self.length = self.length.saturating_add(1);
        }
        false
    }

    const fn fits(&self) -> bool {
        self.length <= self.word.len()
    }
}
