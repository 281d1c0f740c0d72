use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OpenFlags};

/// Brings what was committed from the WAL into the database, beside the writer.
///
/// In a large load that is a third of the writer's time, most of it spent on copies and on the disk.
/// What it has not come to, or can't do, the writer does at the commit that makes the WAL too long: its length has the same limit as without.
pub(super) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Nothing where there can be no other thread.
    pub(super) fn start(path: &Path) -> Option<Self> {
        let path = path.to_owned();
        // Commits that come while it is busy are one more turn, however many they are.
        let (wake, turns) = mpsc::sync_channel(1);
        let work = move || {
            let Ok(connection) = open(&path) else { return };
            while let Ok(()) = turns.recv() {
                // Whatever is wrong, the writer will find it too.
                let _ = checkpoint(&connection);
            }
        };
        let thread = thread::Builder::new().name("checkpoint".into()).spawn(work);
        Some(Self {
            wake: Some(wake),
            thread: Some(thread.ok()?),
        })
    }

    /// Says that something was committed.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpointer {
    /// Waits until it is at rest.
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Copies as much as no reader needs in the WAL.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
