//! Records that wait for the end of a run, in a temporary file.
//!
//! The file has no name once it is open: it is gone with the process, however
//! that ends.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fhir_normalize::resource_type;

use crate::{Error, Result};

/// A record as it waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// `None` for a deletion.
    pub(crate) body: Option<String>,
    pub(crate) resource_type: &'static str,
    pub(crate) id: String,
    pub(crate) source_id: String,
    pub(crate) identifiers: Vec<(String, String)>,
    pub(crate) remediations: Vec<(String, String)>,
    pub(crate) file: String,
    pub(crate) line: Option<u64>,
    pub(crate) offset: u64,
    /// Number of the message that it is loaded for, 0 for none.
    pub(crate) message: u64,
    /// The record as it was read.
    pub(crate) received: Vec<u8>,
}

/// A file of [`Waiting`] records: first written, then read as often as needed.
pub(crate) struct Spool {
    folder: PathBuf,
    writer: BufWriter<File>,
    length: u64,
}

impl Spool {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Self {
                folder,
                writer: BufWriter::new(file),
                length: 0,
            }),
            Err(source) => Err(Error::Spool { folder, source }),
        }
    }

    /// Number of records.
    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn push(&mut self, record: &Waiting) -> Result<()> {
        self.length += 1;
        write(&mut self.writer, record).map_err(|source| self.error(source))
    }

    /// Calls `visit` with every record and its number, in the order pushed.
    pub(crate) fn each(&mut self, mut visit: impl FnMut(u64, Waiting) -> Result<()>) -> Result<()> {
        let error = |source| Error::Spool {
            folder: self.folder.clone(),
            source,
        };
        self.writer.flush().map_err(error)?;
        let mut file = self.writer.get_ref().try_clone().map_err(error)?;
        file.seek(SeekFrom::Start(0)).map_err(error)?;
        let mut reader = BufReader::with_capacity(256 * 1024, file);
        for number in 0..self.length {
            let record = read(&mut reader).map_err(error)?;
            visit(number, record)?;
        }
        Ok(())
    }

    fn error(&self, source: io::Error) -> Error {
        Error::Spool {
            folder: self.folder.clone(),
            source,
        }
    }
}

fn write(out: &mut impl Write, record: &Waiting) -> io::Result<()> {
    let Waiting {
        body,
        identifiers,
        remediations,
        ..
    } = record;
    out.write_all(&[u8::from(body.is_some()), u8::from(record.line.is_some())])?;
    out.write_all(&record.line.unwrap_or_default().to_le_bytes())?;
    out.write_all(&record.offset.to_le_bytes())?;
    out.write_all(&record.message.to_le_bytes())?;
    for text in [
        record.resource_type,
        &record.id,
        &record.source_id,
        &record.file,
    ] {
        write_bytes(out, text.as_bytes())?;
    }
    write_bytes(out, body.as_deref().unwrap_or_default().as_bytes())?;
    write_bytes(out, &record.received)?;
    for pairs in [identifiers, remediations] {
        out.write_all(&(pairs.len() as u64).to_le_bytes())?;
        for (first, second) in pairs {
            write_bytes(out, first.as_bytes())?;
            write_bytes(out, second.as_bytes())?;
        }
    }
    Ok(())
}

fn write_bytes(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)
}

fn read(input: &mut impl Read) -> io::Result<Waiting> {
    let mut flags = [0; 2];
    input.read_exact(&mut flags)?;
    let line = read_number(input)?;
    let offset = read_number(input)?;
    let message = read_number(input)?;
    let name = read_text(input)?;
    let mut record = Waiting {
        resource_type: resource_type(&name).ok_or_else(damaged)?,
        id: read_text(input)?,
        source_id: read_text(input)?,
        file: read_text(input)?,
        line: (flags[1] == 1).then_some(line),
        offset,
        message,
        ..Waiting::default()
    };
    let body = read_text(input)?;
    record.body = (flags[0] == 1).then_some(body);
    record.received = read_bytes(input)?;
    for pairs in [&mut record.identifiers, &mut record.remediations] {
        for _ in 0..read_number(input)? {
            pairs.push((read_text(input)?, read_text(input)?));
        }
    }
    Ok(record)
}

fn read_number(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = read_number(input)?;
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(damaged())
    }
}

fn read_text(input: &mut impl Read) -> io::Result<String> {
    String::from_utf8(read_bytes(input)?).map_err(|_| damaged())
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the temporary file has changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_as_often_as_asked() {
        let mut spool = Spool::create(&std::env::temp_dir()).expect("a temporary file");
        for number in 0..100_u64 {
            let record = Waiting {
                body: (number % 3 != 0).then(|| "{}".repeat(number as usize * 100)),
                resource_type: "Patient",
                id: format!("é{number}"),
                identifiers: vec![(String::new(), "1".to_owned()); number as usize % 4],
                remediations: vec![("a".into(), "b".into()); number as usize % 2],
                line: (number % 2 == 0).then_some(number),
                offset: u64::MAX - number,
                message: number,
                received: vec![number as u8; 10],
                ..Waiting::default()
            };
            spool.push(&record).expect("room");
        }
        for _ in 0..2 {
            let mut seen = 0;
            spool
                .each(|number, record| {
                    assert_eq!(number, seen);
                    assert_eq!(record.id, format!("é{number}"));
                    assert_eq!(record.body.is_some(), number % 3 != 0);
                    assert_eq!(record.identifiers.len(), number as usize % 4);
                    assert_eq!(record.remediations.len(), number as usize % 2);
                    assert_eq!(record.line.is_some(), number % 2 == 0);
                    assert_eq!(record.offset, u64::MAX - number);
                    assert_eq!(record.message, number);
                    assert_eq!(record.received, [number as u8; 10]);
                    seen += 1;
                    Ok(())
                })
                .expect("readable");
            assert_eq!(seen, spool.len());
        }
    }
}
