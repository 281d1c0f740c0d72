//! The thread that reads and decodes.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;

use fhir_normalize::IdMode;

use super::pool::Pool;
use super::scout::Scout;
use super::{Cause, LoadOptions};
use crate::Interrupt;
use crate::source::{self, Chunk, Chunks, FileRefused, Input, Proof, Source, Supply, Text};

/// Text that is read ahead of a gzip stream: where that is all of it, it is
/// decoded once.
const AHEAD: usize = 4 << 20;
/// Of a gzip stream of this length, the text is most likely longer than
/// [`AHEAD`]: resources shrink to an eighth and less.
const LONG: u64 = AHEAD as u64 / 8;

/// What is read, in its order.
pub(super) enum Piece {
    File(FileBegun),
    Refused(FileRefused),
    Chunk(Chunk),
    /// Of a file that was not refused.
    End,
}

/// What is known of a file before its text.
pub(super) struct FileBegun {
    pub(super) name: String,
    pub(super) cause: Option<Arc<Cause>>,
    /// Whether it is there and has no patients at the front.
    pub(super) others: bool,
    /// What has to be asked before anything of it is written, if so.
    pub(super) proof: Option<Arc<Proof>>,
    /// The file is too long to be read [`AHEAD`] as a whole.
    long: bool,
    /// The proof of the file after it, where that is known and takes long; a
    /// scout finds it on its way.
    pub(super) coming: Option<Arc<Proof>>,
    /// What finds the patients in it, where that may be worth it.
    pub(super) scout: Option<Scout>,
}

type Opened = (FileBegun, Result<Chunks<Box<dyn Read + Send>>, FileRefused>);

pub(super) struct Reader<'a> {
    pub(super) source: &'a mut dyn Source,
    pub(super) options: &'a LoadOptions,
    pub(super) interrupt: &'a Interrupt,
    pub(super) pool: &'a Pool,
    pub(super) position: &'a Arc<AtomicU64>,
    pub(super) pieces: SyncSender<Piece>,
}

impl Reader<'_> {
    pub(super) fn run(mut self) {
        // The channel is closed when the writer has given up.
        let (pieces, interrupt) = (self.pieces.clone(), self.interrupt);
        // Before as well: a pipe that was left is no file that can't be read.
        let going = || !interrupt.is_interrupted();
        let send = |piece| going() && pieces.send(piece).is_ok() && going();
        let mut coming = None;
        while let Some((mut file, chunks)) = coming.take().or_else(|| self.next()) {
            if self.source.is_at_hand() {
                coming = self.next();
            }
            let proof = file.proof.clone();
            let long = coming
                .as_ref()
                .filter(|(next, _)| next.long && next.scout.is_none());
            file.coming = long.and_then(|(next, _)| next.proof.clone());
            let going = send(Piece::File(file))
                && match chunks {
                    Ok(chunks) => read(chunks, proof.as_deref(), self.pool, &send),
                    Err(refused) => send(Piece::Refused(refused)),
                };
            if !going {
                return;
            }
        }
    }

    fn next(&mut self) -> Option<Opened> {
        let supply = self.source.next()?;
        Some(self.open(supply))
    }

    fn open(&self, supply: Supply) -> Opened {
        let input = match supply {
            Supply::File(input) => input,
            Supply::Missing { name, reason } => {
                let file = FileBegun {
                    name,
                    cause: None,
                    others: false,
                    proof: None,
                    long: false,
                    coming: None,
                    scout: None,
                };
                return (file, Err(FileRefused(reason)));
            }
        };
        let opened = source::open(&input, &self.options.spool, self.position, self.interrupt);
        let text = opened.as_ref().ok();
        let scout = text.and_then(|text| self.scout(&input, text));
        let (text, proof) = match opened.map(source::Text::unproved) {
            Ok((text, proof)) => (Ok(text), proof),
            Err(refused) => (Err(refused), None),
        };
        let file = FileBegun {
            name: input.name(),
            cause: input.cause.clone(),
            others: !input.is_patients(),
            proof,
            long: input.size >= LONG,
            coming: None,
            scout,
        };
        let chunks = text.map(|text| Chunks::new(text, &input, self.options.max_line));
        (file, chunks)
    }

    fn scout(&self, input: &Input, text: &Text) -> Option<Scout> {
        let LoadOptions {
            settings, max_line, ..
        } = self.options;
        if settings.id_mode != IdMode::Preserve || !input.is_mixed() {
            return None;
        }
        let text = text.again()?;
        Some(Scout::new(text, input, *max_line))
    }
}

/// Reads a file to its end; whether to go on with the next.
fn read<R: Read>(
    mut chunks: Chunks<R>,
    proof: Option<&Proof>,
    pool: &Pool,
    send: &impl Fn(Piece) -> bool,
) -> bool {
    let mut ahead = Vec::new();
    let mut room = if proof.is_some() { AHEAD } else { 0 };
    loop {
        let next = chunks.next(pool.buffer());
        if chunks.ended() {
            room = 0;
            if let Some(proof) = proof {
                proof.read_to_its_end();
            }
        }
        let last = match next {
            Ok(Some(chunk)) => {
                room = room.saturating_sub(chunk.data.len());
                ahead.push(chunk);
                if room > 0 {
                    continue;
                }
                None
            }
            Ok(None) => Some(Piece::End),
            Err(refused) => Some(Piece::Refused(refused)),
        };
        if !ahead.drain(..).map(Piece::Chunk).all(send) {
            return false;
        }
        if let Some(last) = last {
            return send(last);
        }
    }
}
