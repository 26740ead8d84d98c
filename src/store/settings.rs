//! What admins have set in the console.

use super::{AuditEntry, BoxFuture, StoreError};

/// Settings by name, for all processes that use the store.
pub trait SettingsStore: Send + Sync {
    /// Everything that is set: names and values.
    fn settings(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, StoreError>>;

    /// Sets some, in place of what they were; `None` is set no more. What is noted in the audit log is noted with it.
    fn change_settings(
        &self,
        changes: Vec<(String, Option<String>)>,
        entry: AuditEntry,
    ) -> BoxFuture<'_, Result<(), StoreError>>;
}
