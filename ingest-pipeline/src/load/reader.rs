//! The thread that reads and decodes.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;

use super::pool::Pool;
use super::{Cause, LoadOptions};
use crate::Interrupt;
use crate::source::{self, Chunk, Chunks, FileRefused, Proof, Source, Supply};

/// Text that is read ahead of a gzip stream: where that is all of it, it is
/// decoded once.
const AHEAD: usize = 4 << 20;

/// What is read, in its order.
pub(super) enum Piece {
    File {
        name: String,
        cause: Option<Arc<Cause>>,
        /// Whether it is there and has no patients at the front.
        others: bool,
        /// What has to be asked before anything of it is written, if so.
        proof: Option<Arc<Proof>>,
    },
    Refused(FileRefused),
    Chunk(Chunk),
    /// Of a file that was not refused.
    End,
}

pub(super) struct Reader<'a> {
    pub(super) source: &'a mut dyn Source,
    pub(super) options: &'a LoadOptions,
    pub(super) interrupt: &'a Interrupt,
    pub(super) pool: &'a Pool,
    pub(super) position: &'a Arc<AtomicU64>,
    pub(super) pieces: SyncSender<Piece>,
}

impl Reader<'_> {
    pub(super) fn run(self) {
        // The channel is closed when the writer has given up.
        let send = |piece| self.pieces.send(piece).is_ok() && !self.interrupt.is_interrupted();
        while let Some(supply) = self.source.next() {
            let going = match supply {
                Supply::Missing { name, reason } => {
                    let file = Piece::File {
                        name,
                        cause: None,
                        others: false,
                        proof: None,
                    };
                    send(file) && send(Piece::Refused(FileRefused(reason)))
                }
                Supply::File(input) => {
                    let opened = source::open(&input, &self.options.spool, self.position);
                    let (text, proof) = match opened.map(source::Text::unproved) {
                        Ok((text, proof)) => (Ok(text), proof),
                        Err(refused) => (Err(refused), None),
                    };
                    let file = Piece::File {
                        name: input.name(),
                        cause: input.cause.clone(),
                        others: !input.is_patients(),
                        proof: proof.clone(),
                    };
                    send(file)
                        && match text {
                            Ok(text) => {
                                let chunks = Chunks::new(text, &input, self.options.max_line);
                                read(chunks, proof.as_deref(), self.pool, &send)
                            }
                            Err(refused) => send(Piece::Refused(refused)),
                        }
                }
            };
            if !going {
                return;
            }
        }
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
