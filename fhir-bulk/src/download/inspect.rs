use memchr::{memchr, memchr2};

use super::Fault;
use super::scan::{Scan, Scanner};
use crate::{FileKind, OutputFile};

/// Looks at the decoded text of a file while it passes, in constant memory:
/// counts lines, compares their types with the promised one, and tells what
/// is no NDJSON at all.
pub(super) struct Inspector {
    promised: Option<String>,
    organized: bool,
    bytes: u64,
    lines: u64,
    /// Lines that start like an object.
    objects: u64,
    /// Lines whose type is known.
    typed: u64,
    /// `Parameters` that stand before a group of lines.
    headers: u64,
    wrong: u64,
    /// Whether the first line was an `OperationOutcome` nobody promised.
    first_is_outcome: bool,
    /// Whether the first line was nothing but the start of an object or list.
    first_is_bare: bool,
    /// Bytes of the mark at the start of a file that were passed.
    bom: usize,
    line: State,
    line_length: u64,
    /// The last byte of the line that is not white space.
    line_end: u8,
    /// The first bytes, where they are those of markup.
    markup: Option<Vec<u8>>,
}

enum State {
    /// Nothing but white space so far.
    Blank,
    /// An object whose type is looked for.
    Object(Scanner),
    /// Nothing more to learn from it.
    Rest,
}

/// What is needed of a whole file to judge it.
pub(super) struct Seen {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) faults: Vec<Fault>,
}

impl Inspector {
    pub(super) fn new(file: &OutputFile) -> Self {
        let promised = match file.kind {
            FileKind::Output => file.resource_type.clone(),
            FileKind::Deleted => Some("Bundle".to_owned()),
            FileKind::Outcome => Some("OperationOutcome".to_owned()),
        };
        Self {
            organized: file.organized || promised.is_none(),
            promised,
            bytes: 0,
            lines: 0,
            objects: 0,
            typed: 0,
            headers: 0,
            wrong: 0,
            first_is_outcome: false,
            first_is_bare: false,
            bom: 0,
            line: State::Blank,
            line_length: 0,
            line_end: 0,
            markup: None,
        }
    }

    /// Takes more text; the error is what the file is instead of NDJSON.
    pub(super) fn feed(&mut self, mut text: &[u8]) -> Result<(), &'static str> {
        self.bytes += text.len() as u64;
        let whole = text;
        while self.bom < BOM.len() && text.first() == Some(&BOM[self.bom]) {
            self.bom += 1;
            text = &text[1..];
        }
        if !text.is_empty() {
            self.bom = BOM.len();
        }
        while !text.is_empty() {
            let feed = memchr(b'\n', text);
            self.part(&text[..feed.unwrap_or(text.len())]);
            let Some(feed) = feed else { break };
            self.end_line();
            text = &text[feed + 1..];
        }
        let Some(markup) = &mut self.markup else {
            return Ok(());
        };
        let room = MARKUP.saturating_sub(markup.len());
        markup.extend(whole.iter().take(room).map(u8::to_ascii_lowercase));
        match memchr::memmem::find(markup, b"html") {
            Some(_) => Err(HTML),
            None if markup.len() >= MARKUP => Err(XML),
            None => Ok(()),
        }
    }

    /// Judges the whole file; the error is what it is instead of NDJSON.
    pub(super) fn finish(&mut self, file: &OutputFile, raw: u64) -> Result<Seen, &'static str> {
        let unfinished = !matches!(self.line, State::Blank) && self.line_end != b'}';
        self.end_line();
        if self.markup.is_some() {
            return Err(XML);
        }
        if self.lines > 0 && self.objects == 0 {
            return Err("text that is no JSON");
        }
        if self.first_is_bare && self.typed < self.lines {
            return Err("JSON over several lines");
        }
        if self.first_is_outcome && self.wrong == self.typed {
            return Err("an OperationOutcome");
        }
        let alone = self.lines == 1 && self.typed == 0 && file.count != Some(1);
        if alone && self.promised.is_some() {
            return Err("JSON that is no resource");
        }
        Ok(Seen {
            bytes: self.bytes,
            lines: self.lines,
            faults: self.faults(file, raw, unfinished),
        })
    }

    fn faults(&self, file: &OutputFile, raw: u64, unfinished: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        // The guide does not say whether headers count.
        let resources = self.lines - self.headers;
        if let Some(promised) = file
            .count
            .filter(|count| ![self.lines, resources].contains(count))
        {
            faults.push(Fault::Count {
                promised,
                found: resources,
            });
        }
        if let Some(promised) = file
            .file_size
            .filter(|size| ![raw, self.bytes].contains(size))
        {
            faults.push(Fault::Size {
                promised,
                raw,
                decoded: self.bytes,
            });
        }
        if unfinished {
            faults.push(Fault::Unfinished);
        }
        if self.wrong > 0 {
            faults.push(Fault::Type { lines: self.wrong });
        }
        faults
    }

    /// Takes a part of a line, without its end.
    fn part(&mut self, mut part: &[u8]) {
        self.line_length += part.len() as u64;
        if let Some(&solid) = part.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.line_end = solid;
        }
        if matches!(self.line, State::Blank) {
            let Some(start) = part.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                return;
            };
            part = &part[start..];
            self.start_line(part);
        }
        if let State::Object(scanner) = &mut self.line {
            match scanner.feed(part) {
                Scan::More => {}
                Scan::Nothing => self.line = State::Rest,
                Scan::Type => {
                    let found = std::mem::replace(&mut self.line, State::Rest);
                    if let State::Object(scanner) = found {
                        self.found(scanner.word());
                    }
                }
            }
        }
    }

    /// Takes the first bytes of a line that is not blank.
    fn start_line(&mut self, part: &[u8]) {
        self.lines += 1;
        match part[0] {
            b'{' => {
                self.objects += 1;
                self.line = State::Object(Scanner::new());
                self.by_first_member(part);
                return;
            }
            b'<' if self.lines == 1 => self.markup = Some(Vec::new()),
            _ => {}
        }
        self.line = State::Rest;
    }

    /// The type where it is the first member, as most servers write it.
    fn by_first_member(&mut self, part: &[u8]) {
        let Some(rest) = part.strip_prefix(br#"{"resourceType":""#) else {
            return;
        };
        if let Some(end) = memchr2(b'"', b'\\', rest).filter(|&end| rest[end] == b'"') {
            self.found(&rest[..end]);
            self.line = State::Rest;
        }
    }

    fn found(&mut self, name: &[u8]) {
        self.typed += 1;
        if self.organized && name == b"Parameters" {
            self.headers += 1;
            return;
        }
        if self
            .promised
            .as_ref()
            .is_some_and(|promised| promised.as_bytes() != name)
        {
            self.wrong += 1;
            self.first_is_outcome |= self.lines == 1 && name == b"OperationOutcome";
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::replace(&mut self.line, State::Blank);
        let length = std::mem::take(&mut self.line_length);
        // `{` alone, or with a carriage return.
        if self.lines == 1 && length <= 2 && matches!(line, State::Object(_)) {
            self.first_is_bare = true;
        }
    }
}

/// How much of markup is looked at.
const MARKUP: usize = 512;
const HTML: &str = "an HTML page";
const XML: &str = "an XML document";
const BOM: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inspect(text: &[u8], cuts: &[usize], promised: &str) -> (u64, u64, u64, u64) {
        let file = OutputFile::new("https://ehr.example/1", Some(promised));
        let mut inspector = Inspector::new(&file);
        let mut rest = text;
        for &cut in cuts {
            let (part, tail) = rest.split_at(cut.min(rest.len()));
            let _ = inspector.feed(part);
            rest = tail;
        }
        let _ = inspector.feed(rest);
        let _ = inspector.finish(&file, 0);
        (
            inspector.bytes,
            inspector.lines,
            inspector.typed,
            inspector.wrong,
        )
    }

    #[test]
    fn types_are_found_wherever_they_are() {
        let cases: [(&str, u64, u64); 10] = [
            (r#"{"resourceType":"Patient"}"#, 1, 0),
            (r#"{"resourceType":"Group"}"#, 1, 1),
            (r#"{ "resourceType" : "Patient" }"#, 1, 0),
            (
                r#"{"id":"a","contained":[{"resourceType":"Group"}],"resourceType":"Patient"}"#,
                1,
                0,
            ),
            (
                r#"{"a":{"resourceType":"Group"},"b":"resourceType","resourceType":"Group"}"#,
                1,
                1,
            ),
            (
                r#"{"id":"\"resourceType\":\"Group\"","resourceType":"Patient"}"#,
                1,
                0,
            ),
            (r#"{"contained":[{"resourceType":"Group"}]}"#, 0, 0),
            (r#"{"resourceType":7,"id":"Group"}"#, 0, 0),
            (r#"{"resource\u0054ype":"Group"}"#, 0, 0),
            ("not json", 0, 0),
        ];
        for (line, typed, wrong) in cases {
            let found = inspect(line.as_bytes(), &[], "Patient");
            assert_eq!((found.2, found.3), (typed, wrong), "{line}");
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            lines in prop::collection::vec(prop::sample::select(vec![
                r#"{"resourceType":"Patient","id":"1"}"#, r#"{"id":"1","resourceType":"Group"}"#,
                "", "  \r", "{", r#"{"a":["\\",{"resourceType":"x"}],"resourceType":"Patient"}"#,
                "\u{feff}", "x",
            ]), 0..8),
            cuts in prop::collection::vec(0_usize..20, 0..20),
        ) {
            let text = lines.join("\n");
            let whole = inspect(text.as_bytes(), &[], "Patient");
            prop_assert_eq!(whole, inspect(text.as_bytes(), &cuts, "Patient"));
            let filled = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let filled = filled.split('\n').filter(|line| !line.trim_ascii().is_empty()).count();
            prop_assert_eq!(whole.1, filled as u64);
        }
    }
}
