//! Drafts of the knowledge, and what was published, in SQLite.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::{SqliteStore, timestamp};
use crate::store::workshop::paths;
use crate::store::{BoxFuture, KnowledgeVersion, NewKnowledgeVersion, StoreError, WholeVersion, WorkshopStore};

/// The columns of a version without the texts.
const VERSION: &str = "id, published_at, author, comment, version_before, version_after, files";

impl WorkshopStore for SqliteStore {
    fn knowledge_draft(&self, author: String) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.submit(move |connection| {
            let sql = "SELECT record FROM knowledge_drafts WHERE author = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row([author], |row| row.get(0)).optional()
        })
    }

    fn save_knowledge_draft(
        &self,
        author: String,
        record: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| {
            let Some(record) = record else {
                let sql = "DELETE FROM knowledge_drafts WHERE author = ?1";
                return connection.prepare_cached(sql)?.execute([author]).map(drop);
            };
            let sql = "INSERT INTO knowledge_drafts (author, record, changed_at) VALUES (?1, ?2, ?3)
                       ON CONFLICT (author) DO UPDATE SET record = excluded.record, changed_at = excluded.changed_at";
            let values = params![author, record, now.as_millisecond()];
            connection.prepare_cached(sql)?.execute(values).map(drop)
        })
    }

    fn keep_knowledge_version(&self, version: NewKnowledgeVersion) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.submit(move |connection| {
            let sql =
                "INSERT INTO knowledge_versions (published_at, author, comment, version_before, version_after, files, changes)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let changes = serde_json::to_string(&version.changes).unwrap_or_default();
            let values = params![
                version.published_at.as_millisecond(),
                version.author,
                version.comment,
                version.version_before,
                version.version_after,
                paths(&version.changes),
                changes
            ];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(connection.last_insert_rowid())
        })
    }

    fn withdraw_knowledge_version(&self, id: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| {
            let sql = "DELETE FROM knowledge_versions WHERE id = ?1";
            connection.prepare_cached(sql)?.execute([id]).map(drop)
        })
    }

    fn knowledge_versions(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<KnowledgeVersion>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = format!("SELECT {VERSION} FROM knowledge_versions WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let versions = statement.query_map(params![before.unwrap_or(i64::MAX), most], version)?;
            versions.collect()
        })
    }

    fn knowledge_version(&self, id: i64) -> BoxFuture<'_, Result<Option<WholeVersion>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = format!("SELECT {VERSION}, changes FROM knowledge_versions WHERE id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_row([id], |row| {
                let changes: String = row.get(7)?;
                Ok((version(row)?, serde_json::from_str(&changes).unwrap_or_default()))
            });
            found.optional()
        })
    }
}

fn version(row: &Row<'_>) -> Result<KnowledgeVersion, rusqlite::Error> {
    let files: String = row.get(6)?;
    Ok(KnowledgeVersion {
        id: row.get(0)?,
        published_at: timestamp(row.get(1)?),
        author: row.get(2)?,
        comment: row.get(3)?,
        version_before: row.get(4)?,
        version_after: row.get(5)?,
        files: serde_json::from_str(&files).unwrap_or_default(),
    })
}
