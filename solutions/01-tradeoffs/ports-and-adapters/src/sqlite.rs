//! Accounts in a file, by SQLite.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

use crate::domain::{Email, NotSaved, Unavailable, User, UserId, Users};

/// One connection to a file. Others may have the same file open.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// Opens the file at `path`, with all accounts that are in it, or makes it. Where another connection holds a lock, every call waits for `patience`
    /// at most, and is [`Unavailable`] then.
    ///
    /// # Errors
    /// [`Unavailable`] if the file cannot be opened, is locked, or is not a database.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, Unavailable> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(patience)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL) STRICT",
        )?;
        Ok(Self { connection })
    }
}

impl Users for Sqlite {
    fn find(&self, id: UserId) -> Result<Option<User>, Unavailable> {
        let mut select = self.connection.prepare_cached("SELECT id, email, name FROM users WHERE id = ?1")?;
        Ok(select.query_row([key(id)], user).optional()?)
    }

    fn find_by_email(&self, email: &Email) -> Result<Option<User>, Unavailable> {
        let mut select = self.connection.prepare_cached("SELECT id, email, name FROM users WHERE email = ?1")?;
        Ok(select.query_row([email.as_str()], user).optional()?)
    }

    // ANCHOR: save
    fn save(&mut self, user: &User) -> Result<(), NotSaved> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Unavailable::from)?;
        let owner = transaction
            .query_row("SELECT id FROM users WHERE email = ?1", [user.email.as_str()], |row| row.get(0))
            .optional()
            .map_err(Unavailable::from)?;
        if let Some(by) = owner.map(id).filter(|by| *by != user.id) {
            return Err(NotSaved::EmailTaken { by });
        }
        let upsert = "INSERT INTO users (id, email, name) VALUES (?1, ?2, ?3)
                      ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name";
        transaction
            .execute(upsert, params![key(user.id), user.email.as_str(), user.name])
            .map_err(Unavailable::from)?;
        transaction.commit().map_err(Unavailable::from)?;
        Ok(())
    }
    // ANCHOR_END: save

    fn list(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>, Unavailable> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut select = self
            .connection
            .prepare_cached("SELECT id, email, name FROM users WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2")?;
        let users = select.query_map(params![after.map(key), most], user)?.collect::<Result<_, _>>()?;
        Ok(users)
    }
}

/// What SQLite says stays in this file. Only that it failed goes out, and a text for the log.
impl From<rusqlite::Error> for Unavailable {
    fn from(error: rusqlite::Error) -> Self {
        Self { reason: error.to_string() }
    }
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let email: String = row.get(1)?;
    let email = Email::parse(&email).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Text, format!("no address: {email}").into())
    })?;
    Ok(User { id: id(row.get(0)?), email, name: row.get(2)? })
}

/// SQLite's integers have a sign. 0 becomes the least of them and `u64::MAX` the greatest, so their order is that of the numbers.
fn key(id: UserId) -> i64 {
    (id.0 ^ (1 << 63)).cast_signed()
}

fn id(key: i64) -> UserId {
    UserId(key.cast_unsigned() ^ (1 << 63))
}
