use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OpenFlags};

use super::open::WAL_PAGES;
use super::{SqliteStore, alone};
use crate::Result;

impl SqliteStore {
    /// What a run has committed is on the disk afterwards, and everybody can read it.
    pub(super) fn rest(&mut self) -> Result<()> {
        if std::mem::take(&mut self.alone) {
            // Without a WAL, each commit has waited for the disk.
            return alone::give_back(&self.connection);
        }
        // In WAL mode with `synchronous=NORMAL` only a checkpoint waits for the disk.
        // Readers may keep it from being complete; the WAL is synced all the same.
        // There can be one checkpoint at a time.
        self.checkpointer = None;
        self.connection
            .pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        checkpoint(&self.connection)?;
        Ok(())
    }
}

/// Brings what was committed from the WAL into the database, beside the writer.
///
/// In a large load that is a third of the writer's time, most of it spent on copies and on the disk.
/// The WAL begins anew only when all of it is in the database at the moment at which a transaction begins.
/// With a writer that never pauses that moment does not come, so it waits for it once there are [`WAL_PAGES`].
/// The WAL is as long as that and one transaction, however slow the disk; a reader that holds on to what is in it keeps it growing.
pub(super) struct Checkpointer {
    turns: Option<SyncSender<Turn>>,
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
        let work = move || work(&path, &taken);
        let thread = thread::Builder::new().name("checkpoint".into()).spawn(work);
        Some(Self {
            turns: Some(turns),
            thread: Some(thread.ok()?),
        })
    }

    /// Says that the writer has committed something.
    pub(super) fn committed(&self, writer: &Connection) {
        let Some(turns) = &self.turns else { return };
        // What can't be looked at may be long.
        if wal_pages(writer).is_ok_and(|pages| pages < WAL_PAGES) {
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

fn work(path: &Path, turns: &Receiver<Turn>) {
    let Ok(connection) = open(path) else { return };
    while let Ok(_turn) = turns.recv() {
        // Whatever is wrong, the writer will find it too.
        let _ = checkpoint(&connection);
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Copies as much as no reader needs in the WAL.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// How long the WAL is, as the one knows that has just written to it.
fn wal_pages(connection: &Connection) -> rusqlite::Result<i64> {
    let mut look = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    look.query_row([], |row| row.get(1))
}
