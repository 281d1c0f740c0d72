//! New inputs out of old ones.

use super::LONGEST_KEPT;
use super::random::Random;

/// What the inputs of a target are made of.
#[derive(Clone, Copy, Default)]
pub(crate) struct Grammar {
    /// Words that mean something.
    pub(crate) tokens: &'static [&'static str],
    /// Bytes that parts begin or end at; half of all cuts are there.
    pub(crate) separators: &'static [u8],
    /// What can be put around a part, again and again.
    pub(crate) pairs: &'static [(&'static str, &'static str)],
}

pub(super) struct Mutator<'a> {
    grammar: &'a Grammar,
    random: Random,
}

/// Of any format.
const COMMON: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n",
    b"\x7F",
    b"\x80",
    b"\xFF",
    b"\xEF\xBB\xBF",
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xC0\x80",
    "é".as_bytes(),
    "\u{2028}".as_bytes(),
    "😀".as_bytes(),
    "\u{1E9E}".as_bytes(),
    "\u{130}".as_bytes(),
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1.5",
    "00",
    "127",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "99999999999999999999999999999999999999",
    "1e400",
    "1E-400",
    "0x10",
];

/// Once in a while an input is as long as this, to see what takes more than its share of time.
const BLOWN_UP: usize = 256 * 1024;
const BLOW_UPS: usize = 4000;
/// Deeper than any limit.
const DEEPEST: usize = 1500;

impl<'a> Mutator<'a> {
    pub(super) const fn new(grammar: &'a Grammar, random: Random) -> Self {
        Self { grammar, random }
    }

    /// An input that is like one of the corpus.
    pub(super) fn make(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(corpus).to_vec();
        for _ in 0..=self.random.below(6) {
            self.change(&mut bytes, corpus);
            bytes.truncate(LONGEST_KEPT + 1);
        }
        if self.random.one_in(BLOW_UPS) {
            self.blow_up(&mut bytes);
        }
        bytes
    }

    /// One of the corpus, more often one that was added late.
    fn pick<'c>(&mut self, corpus: &'c [Vec<u8>]) -> &'c [u8] {
        let late = &corpus[corpus.len().saturating_sub(64)..];
        match corpus {
            [] => &[],
            _ if self.random.one_in(4) => self.random.choose::<Vec<u8>>(late),
            _ => self.random.choose::<Vec<u8>>(corpus),
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let from = self.cut(bytes);
        let until = match self.random.one_in(2) {
            true => (from + self.random.below(60)).min(bytes.len()),
            false => self.next_cut(bytes, from),
        };
        match self.random.below(14) {
            0 if self.random.one_in(4) => bytes.truncate(from),
            0 | 1 => drop(bytes.drain(from..until)),
            2 => {
                let times = if self.random.one_in(20) { 200 } else { 4 };
                let again = bytes[from..until].repeat(1 + self.random.below(times));
                bytes.splice(from..from, again);
            }
            3 | 4 => {
                let other = self.pick(corpus);
                let start = self.cut(other);
                let end = match self.random.one_in(2) {
                    true => other.len(),
                    false => self.next_cut(other, start),
                };
                bytes.splice(from..until, other[start..end].iter().copied());
            }
            5 if from < bytes.len() => bytes[from] = self.random.below(256) as u8,
            6 if from < bytes.len() => bytes[from] ^= 1 << self.random.below(8),
            7 => self.number(bytes, from),
            8 => self.nest(bytes, from, until),
            9 => {
                // Two parts change places.
                let end = self.next_cut(bytes, until);
                bytes[from..end].rotate_left(until - from);
            }
            10 => drop(bytes.splice(from..from, self.random.choose(COMMON).iter().copied())),
            11 => drop(bytes.splice(from..until, self.token().bytes())),
            _ => drop(bytes.splice(from..from, self.token().bytes())),
        }
    }

    fn token(&mut self) -> &'static str {
        let tokens = match self.grammar.tokens {
            [] => NUMBERS,
            tokens => tokens,
        };
        self.random.choose::<&str>(tokens)
    }

    /// A place in the bytes: anywhere, or where a part begins or ends.
    fn cut(&mut self, bytes: &[u8]) -> usize {
        let at = self.random.below(bytes.len() + 1);
        if self.grammar.separators.is_empty() || self.random.one_in(2) {
            return at;
        }
        let found = bytes[at..].iter().position(|byte| self.is_separator(*byte));
        found.map_or(at, |found| at + found + self.random.below(2))
    }

    /// The next place behind `from` where a part ends.
    fn next_cut(&mut self, bytes: &[u8], from: usize) -> usize {
        let rest = bytes.get(from + 1..).unwrap_or_default();
        let found = rest.iter().position(|byte| self.is_separator(*byte));
        found.map_or(bytes.len(), |found| from + 1 + found)
    }

    fn is_separator(&self, byte: u8) -> bool {
        self.grammar.separators.contains(&byte)
    }

    /// Puts another number in place of the next one.
    fn number(&mut self, bytes: &mut Vec<u8>, from: usize) {
        let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else {
            return;
        };
        let start = from + start;
        let digits = bytes[start..].iter().take_while(|b| b.is_ascii_digit());
        let end = start + digits.count();
        bytes.splice(start..end, self.random.choose(NUMBERS).bytes());
    }

    fn nest(&mut self, bytes: &mut Vec<u8>, from: usize, until: usize) {
        let Some(pairs) = (!self.grammar.pairs.is_empty()).then_some(self.grammar.pairs) else {
            return;
        };
        let (open, close) = *self.random.choose(pairs);
        let most = if self.random.one_in(8) { DEEPEST } else { 4 };
        let depth = 1 + self.random.below(most);
        bytes.splice(until..until, close.repeat(depth).bytes());
        bytes.splice(from..from, open.repeat(depth).bytes());
    }

    /// Repeats a part until it is very long.
    fn blow_up(&mut self, bytes: &mut Vec<u8>) {
        let from = self.cut(bytes);
        let until = match self.random.below(3) {
            0 => bytes.len(),
            1 => (from + 1 + self.random.below(8)).min(bytes.len()),
            _ => self.next_cut(bytes, from),
        };
        let part = match &bytes[from..until] {
            [] => self.token().as_bytes().to_vec(),
            part => part.to_vec(),
        };
        let times = BLOWN_UP / part.len().max(1);
        bytes.splice(from..from, part.repeat(times));
    }
}
