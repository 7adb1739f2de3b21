//! What is forgotten with time, and how much there is.

use std::collections::BTreeMap;

use super::{Status, Store, StoreError, sounds, work};

impl Store {
    /// Forgets sounds and jobs whose time is over. How many jobs were forgotten.
    ///
    /// A clock that was set back keeps them longer, not shorter.
    pub(crate) fn expire(&self) -> Result<usize, StoreError> {
        let past = |seconds: u64| self.now().saturating_sub_unsigned(seconds);
        let connection = self.connection();
        let sql = "UPDATE jobs SET has_sound = 0 WHERE has_sound AND finished_at <= ?1 RETURNING id";
        let sounds = work::texts(&connection, sql, past(self.keeping.sound))?;
        let forgotten = work::texts(
            &connection,
            "DELETE FROM jobs WHERE finished_at <= ?1 RETURNING id",
            past(self.keeping.result),
        )?;
        drop(connection);
        // The rows are gone first: a sound that stays behind is removed at the next start, a row without its sound never was.
        for id in sounds.iter().chain(&forgotten) {
            sounds::forget(&self.folder, id);
        }
        Ok(forgotten.len())
    }

    /// How many jobs there are of each status.
    pub(crate) fn counts(&self) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        let mut counts: BTreeMap<&'static str, u64> = Status::ALL.map(|status| (status.name(), 0)).into();
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT status, count(*) FROM jobs GROUP BY status")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (status, count): (String, i64) = (row.get(0)?, row.get(1)?);
            if let Some(status) = Status::named(&status) {
                counts.insert(status.name(), count.unsigned_abs());
            }
        }
        Ok(counts)
    }
}
