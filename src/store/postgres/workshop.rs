//! Drafts of the knowledge, and what was published, in PostgreSQL.

use jiff::Timestamp;
use tokio_postgres::{Error, Row};

use super::values::values;
use super::{PostgresStore, timestamp};
use crate::store::workshop::paths;
use crate::store::{BoxFuture, KnowledgeVersion, NewKnowledgeVersion, StoreError, WholeVersion, WorkshopStore};

/// The columns of a version without the texts.
const VERSION: &str = "id, published_at, author, comment, version_before, version_after, files";

impl WorkshopStore for PostgresStore {
    fn knowledge_draft(&self, author: String) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.submit(async move |transaction| {
            let sql = "SELECT record FROM knowledge_drafts WHERE author = $1";
            let row = transaction.row_if_any(sql, values![&author]).await?;
            row.map(|row| row.try_get(0)).transpose()
        })
    }

    fn save_knowledge_draft(
        &self,
        author: String,
        record: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| {
            let Some(record) = record else {
                let sql = "DELETE FROM knowledge_drafts WHERE author = $1";
                return transaction.execute(sql, values![&author]).await.map(drop);
            };
            let sql = "INSERT INTO knowledge_drafts (author, record, changed_at) VALUES ($1, $2, $3)
                       ON CONFLICT (author) DO UPDATE SET record = excluded.record, changed_at = excluded.changed_at";
            let values = values![&author, &record, now.as_millisecond()];
            transaction.execute(sql, values).await.map(drop)
        })
    }

    fn keep_knowledge_version(&self, version: NewKnowledgeVersion) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.submit(async move |transaction| {
            let sql =
                "INSERT INTO knowledge_versions (published_at, author, comment, version_before, version_after, files, changes)
                       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
            let files = paths(&version.changes);
            let changes = serde_json::to_string(&version.changes).unwrap_or_default();
            let values = values![
                version.published_at.as_millisecond(),
                &version.author,
                &version.comment,
                &version.version_before,
                &version.version_after,
                &files,
                &changes
            ];
            let row = transaction.row_if_any(sql, values).await?;
            row.map_or(Ok(0), |row| row.try_get(0))
        })
    }

    fn withdraw_knowledge_version(&self, id: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| {
            let sql = "DELETE FROM knowledge_versions WHERE id = $1";
            transaction.execute(sql, values![id]).await.map(drop)
        })
    }

    fn knowledge_versions(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<KnowledgeVersion>, StoreError>> {
        self.read(async move |transaction| {
            let sql = format!("SELECT {VERSION} FROM knowledge_versions WHERE id < $1 ORDER BY id DESC LIMIT $2");
            let values = values![before.unwrap_or(i64::MAX), most];
            let rows = transaction.rows(&sql, values).await?;
            rows.iter().map(version).collect()
        })
    }

    fn knowledge_version(&self, id: i64) -> BoxFuture<'_, Result<Option<WholeVersion>, StoreError>> {
        self.read(async move |transaction| {
            let sql = format!("SELECT {VERSION}, changes FROM knowledge_versions WHERE id = $1");
            let row = transaction.row_if_any(&sql, values![id]).await?;
            let found = row.map(|row| {
                let changes: &str = row.try_get(7)?;
                Ok((version(&row)?, serde_json::from_str(changes).unwrap_or_default()))
            });
            found.transpose()
        })
    }
}

fn version(row: &Row) -> Result<KnowledgeVersion, Error> {
    let files: &str = row.try_get(6)?;
    Ok(KnowledgeVersion {
        id: row.try_get(0)?,
        published_at: timestamp(row.try_get(1)?),
        author: row.try_get(2)?,
        comment: row.try_get(3)?,
        version_before: row.try_get(4)?,
        version_after: row.try_get(5)?,
        files: serde_json::from_str(files).unwrap_or_default(),
    })
}
