use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OpenFlags};

use super::open::WAL_PAGES;

/// Brings what was committed from the WAL into the database, beside the writer.
///
/// In a large load that is a third of the writer's time, most of it spent on copies and on the disk.
/// The WAL begins anew only when all of it is in the database at the moment at which a transaction begins.
/// With a writer that never pauses that moment does not come, so it waits for it once a turn has found more than [`WAL_PAGES`]. What is written during that turn comes on top; a reader that holds on to what is in the WAL keeps it growing.
pub(super) struct Checkpointer {
    turns: Option<SyncSender<Turn>>,
    /// Pages in the WAL at the last turn; none where all of it was done.
    length: Arc<AtomicI64>,
    thread: Option<JoinHandle<()>>,
}

/// Whoever waits for its end.
type Turn = Option<Sender<()>>;

impl Checkpointer {
    /// Nothing where there can be no other thread.
    pub(super) fn start(path: &Path) -> Option<Self> {
        let path = path.to_owned();
        // Commits that come while it is busy are one more turn, however many they are.
        let (turns, taken) = mpsc::sync_channel(1);
        let length = Arc::default();
        let work = {
            let length = Arc::clone(&length);
            move || work(&path, &taken, &length)
        };
        let thread = thread::Builder::new().name("checkpoint".into()).spawn(work);
        Some(Self {
            turns: Some(turns),
            length,
            thread: Some(thread.ok()?),
        })
    }

    /// Says that something was committed.
    pub(super) fn committed(&self) {
        let Some(turns) = &self.turns else { return };
        if self.length.load(Ordering::Relaxed) < WAL_PAGES {
            let _ = turns.try_send(None);
            return;
        }
        let (done, end) = mpsc::channel();
        if turns.send(Some(done)).is_ok() {
            // Nothing is sent: the channel closes when the turn ends.
            let _ = end.recv();
        }
    }
}

impl Drop for Checkpointer {
    /// Waits until it is at rest.
    fn drop(&mut self) {
        self.turns = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(path: &Path, turns: &Receiver<Turn>, length: &AtomicI64) {
    let Ok(connection) = open(path) else { return };
    while let Ok(turn) = turns.recv() {
        // Whatever is wrong, the writer will find it too.
        if let Ok((all, done)) = checkpoint(&connection) {
            let is_at_rest = turn.is_some() && all == done;
            length.store(if is_at_rest { 0 } else { all }, Ordering::Relaxed);
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Copies as much as no reader needs in the WAL. Gives the pages in the WAL, and how many of them are in the database.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let sql = "PRAGMA wal_checkpoint(PASSIVE)";
    connection.query_row(sql, [], |row| Ok((row.get(1)?, row.get(2)?)))
}
