//! What admins have set in the console, in PostgreSQL.

use super::PostgresStore;
use super::console::note;
use super::values::values;
use crate::store::{AuditEntry, BoxFuture, SettingsStore, StoreError};

impl SettingsStore for PostgresStore {
    fn settings(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, StoreError>> {
        self.read(async |transaction| {
            let sql = "SELECT name, value FROM settings ORDER BY name";
            let rows = transaction.rows(sql, Vec::new()).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        })
    }

    fn change_settings(
        &self,
        changes: Vec<(String, Option<String>)>,
        entry: AuditEntry,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| {
            for (name, value) in &changes {
                match value {
                    Some(value) => {
                        let sql = "INSERT INTO settings (name, value) VALUES ($1, $2)
                                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                        transaction.execute(sql, values![name, value]).await?
                    }
                    None => {
                        let sql = "DELETE FROM settings WHERE name = $1";
                        transaction.execute(sql, values![name]).await?
                    }
                };
            }
            note(transaction, &entry).await
        })
    }
}
