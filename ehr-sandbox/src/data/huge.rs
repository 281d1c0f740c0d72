use std::io::{self, Read};

/// Bytes of one line of the stream, its line feed included.
const LINE: u64 = 256;

/// A file of Observations of any size, made while it is read. Every line has
/// the same length, so that any place in it can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Huge {
    lines: u64,
}

impl Huge {
    /// The one that is at least `bytes` long.
    pub(crate) const fn new(bytes: u64) -> Self {
        Self {
            lines: bytes.div_ceil(LINE),
        }
    }

    pub(crate) const fn lines(self) -> u64 {
        self.lines
    }

    pub(crate) const fn bytes(self) -> u64 {
        self.lines * LINE
    }

    /// Reads from byte `start`.
    pub(crate) fn reader(self, start: u64) -> HugeReader {
        HugeReader {
            end: self.bytes(),
            position: start,
            number: u64::MAX,
            line: Vec::new(),
        }
    }
}

pub(crate) struct HugeReader {
    end: u64,
    position: u64,
    number: u64,
    line: Vec<u8>,
}

impl Read for HugeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < buffer.len() && self.position < self.end {
            let number = self.position / LINE;
            if number != self.number {
                self.number = number;
                self.line = line(number);
            }
            let rest = &self.line[(self.position % LINE) as usize..];
            let length = rest.len().min(buffer.len() - written);
            buffer[written..written + length].copy_from_slice(&rest[..length]);
            written += length;
            self.position += length as u64;
        }
        Ok(written)
    }
}

fn line(number: u64) -> Vec<u8> {
    let value = number % 100;
    let text = format!(
        r#"{{"resourceType":"Observation","id":"huge-{number:016}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"29463-7"}}]}},"valueQuantity":{{"value":{value}.50,"unit":"kg"}},"note":[{{"text":""#
    );
    let tail = "\"}]}\n";
    let mut line = text.into_bytes();
    let padding = LINE as usize - tail.len();
    while line.len() < padding {
        line.push(b'a' + (line.len() as u64 + number) as u8 % 26);
    }
    line.extend_from_slice(tail.as_bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_resource_of_the_same_length() {
        for number in [0, 1, 99, u64::MAX / LINE] {
            let line = line(number);
            assert_eq!(line.len() as u64, LINE);
            let value: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
            assert_eq!(value["resourceType"], "Observation");
        }
    }

    #[test]
    fn a_part_is_the_same_as_in_the_whole() {
        let huge = Huge::new(1000);
        assert_eq!((huge.lines(), huge.bytes()), (4, 1024));
        let mut whole = Vec::new();
        huge.reader(0).read_to_end(&mut whole).expect("generated");
        assert_eq!(whole.len(), 1024);
        for start in [0, 1, 255, 256, 700, 1024] {
            let mut part = Vec::new();
            huge.reader(start)
                .read_to_end(&mut part)
                .expect("generated");
            assert_eq!(part, whole[start as usize..]);
        }
    }
}
