//! Tables, views and their migration.

use rusqlite::{Connection, params};

use crate::{Error, Result};

/// Marks a database as ours in its header: "FhSt".
pub(super) const APPLICATION_ID: i64 = 0x4668_5374;

/// Steps from each schema version to the next; the schema version of a store is the number of steps it has taken.
///
/// A step that was released is never changed, only followed by another.
pub(super) const STEPS: &[&str] = &[
    concat!(include_str!("tables.sql"), include_str!("views.sql")),
    include_str!("lines.sql"),
    include_str!("early.sql"),
    include_str!("references.sql"),
];

/// Brings the database from the schema version it has to that of the last of `steps`, in one transaction.
pub(super) fn migrate(connection: &Connection, steps: &[&str]) -> Result<()> {
    let found = user_version(connection)?;
    let supported = steps.len() as i64;
    if found == supported {
        return Ok(());
    }
    let pending = usize::try_from(found)
        .ok()
        .and_then(|taken| steps.get(taken..))
        .ok_or(Error::NewerSchema { found, supported })?;
    let transaction = connection.unchecked_transaction()?;
    for step in pending {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", supported)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the views are those of [`STEPS`].
///
/// They are for others: no statement of ours would notice that the text of one is damaged, and every column could be named or worked out otherwise.
pub(super) fn check_views(connection: &Connection) -> Result<()> {
    let mut is_there = connection.prepare(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema \
         WHERE type = 'view' AND name = ?1 AND CAST(sql AS BLOB) = CAST(?2 AS BLOB))",
    )?;
    for statement in STEPS.iter().flat_map(|step| step.split(';')) {
        let Some(at) = statement.find("CREATE VIEW ") else {
            continue;
        };
        let view = &statement[at..];
        let name = view.split_whitespace().nth(2);
        if !is_there.query_row(params![name, view], |row| row.get(0))? {
            return Err(Error::Corrupt {
                column: "sqlite_schema.sql",
            });
        }
    }
    Ok(())
}

/// The schema version of a database; 0 for one without tables.
pub(super) fn user_version(connection: &Connection) -> Result<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: &[&str] = &[
        "CREATE TABLE a(x); INSERT INTO a VALUES (1);",
        "ALTER TABLE a ADD COLUMN y DEFAULT 2;",
        "CREATE VIEW b AS SELECT x + y AS z FROM a;",
    ];

    #[test]
    fn every_older_schema_comes_up_to_date() {
        for taken in 0..=LADDER.len() {
            let connection = Connection::open_in_memory().unwrap();
            migrate(&connection, &LADDER[..taken]).unwrap();
            migrate(&connection, LADDER).unwrap();
            assert_eq!(user_version(&connection).unwrap(), 3);
            let z: i64 = connection
                .query_row("SELECT z FROM b", [], |row| row.get(0))
                .unwrap();
            assert_eq!(z, 3, "from version {taken}");
        }
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, LADDER).unwrap();
        assert!(matches!(
            migrate(&connection, &LADDER[..2]),
            Err(Error::NewerSchema {
                found: 3,
                supported: 2
            })
        ));
    }

    #[test]
    fn a_failing_step_leaves_the_older_schema() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, &LADDER[..1]).unwrap();
        let broken = [LADDER[0], LADDER[1], "CREATE TABLE a(x);"];
        assert!(migrate(&connection, &broken).is_err());
        assert_eq!(user_version(&connection).unwrap(), 1);
        migrate(&connection, LADDER).unwrap();
    }
}
