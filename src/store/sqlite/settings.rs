//! What admins have set in the console, in SQLite.

use super::SqliteStore;
use super::console::note;
use crate::store::{AuditEntry, BoxFuture, SettingsStore, StoreError};

impl SettingsStore for SqliteStore {
    fn settings(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, StoreError>> {
        self.reads.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT name, value FROM settings ORDER BY name")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    fn change_settings(
        &self,
        changes: Vec<(String, Option<String>)>,
        entry: AuditEntry,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| {
            for (name, value) in &changes {
                match value {
                    Some(value) => {
                        let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                        connection.prepare_cached(sql)?.execute([name, value])?
                    }
                    None => connection
                        .prepare_cached("DELETE FROM settings WHERE name = ?1")?
                        .execute([name])?,
                };
            }
            note(connection, &entry)
        })
    }
}
