//! What is still to be told to webhooks. It is written down together with the end of a job, so that neither is without the
//! other.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::{Job, Store, StoreError};

/// A message that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) number: i64,
    /// The same for every try, so that who gets it twice knows.
    pub(crate) message: String,
    pub(crate) url: String,
    pub(crate) body: String,
    /// How often it was tried.
    pub(crate) tries: usize,
}

/// Seconds from one try to the next: a day in all.
const PAUSES: [i64; 8] = [5, 60, 300, 1800, 7200, 18_000, 28_800, 28_800];

/// Writes down that the end of a job is to be told, if somebody wants to know.
pub(super) fn post(connection: &Connection, job: &Job, now: i64) -> Result<(), StoreError> {
    let Some(url) = &job.webhook_url else { return Ok(()) };
    let body = json!({ "type": format!("job.{}", job.status.name()), "job": job.object() });
    let sql = "INSERT INTO deliveries (job, message, url, body, due_at)
               VALUES (?1, 'msg_' || lower(hex(randomblob(12))), ?2, ?3, ?4)";
    connection.execute(sql, params![job.number, url, body.to_string(), now])?;
    Ok(())
}

impl Store {
    /// Messages whose time has come, without those in `under_way`.
    pub(crate) fn due(&self, under_way: &[i64], limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let longest = PAUSES.into_iter().max().unwrap_or_default();
        // Due later than any pause: the clock was set back since.
        let sql = "SELECT number, message, url, body, tries FROM deliveries
                   WHERE due_at <= ?1 OR due_at > ?1 + ?2 ORDER BY due_at, number";
        let delivery = |row: &Row<'_>| {
            let tries: i64 = row.get(4)?;
            Ok(Delivery {
                number: row.get(0)?,
                message: row.get(1)?,
                url: row.get(2)?,
                body: row.get(3)?,
                tries: usize::try_from(tries).unwrap_or(usize::MAX),
            })
        };
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([self.now(), longest], delivery)?;
        let mut due = Vec::new();
        for row in rows {
            let delivery: Delivery = row?;
            if due.len() == limit {
                break;
            }
            if !under_way.contains(&delivery.number) {
                due.push(delivery);
            }
        }
        Ok(due)
    }

    /// Seconds until the next message is due; none if there is none.
    pub(crate) fn next_due(&self) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT due_at FROM deliveries ORDER BY due_at LIMIT 1";
        let next: Option<i64> = self.connection().query_row(sql, [], |row| row.get(0)).optional()?;
        Ok(next.map(|at| u64::try_from(at - self.now()).unwrap_or(0)))
    }

    /// A message has arrived, or is not sent any more.
    pub(crate) fn delivered(&self, number: i64) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM deliveries WHERE number = ?1", [number])?;
        Ok(())
    }

    /// A message has not arrived. Seconds until it is tried again; none if it was tried often enough.
    pub(crate) fn not_delivered(&self, delivery: &Delivery) -> Result<Option<u64>, StoreError> {
        let Some(pause) = PAUSES.get(delivery.tries) else {
            self.delivered(delivery.number)?;
            return Ok(None);
        };
        let sql = "UPDATE deliveries SET tries = tries + 1, due_at = ?2 WHERE number = ?1";
        self.connection().execute(sql, [delivery.number, self.now() + pause])?;
        Ok(Some(pause.unsigned_abs()))
    }
}
