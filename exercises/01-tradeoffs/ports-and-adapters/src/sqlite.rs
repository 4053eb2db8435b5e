//! Accounts in a file, by SQLite.

use std::path::Path;
use std::time::Duration;

use crate::domain::{Email, NotSaved, Unavailable, User, UserId, Users};

/// One connection to a file. Others may have the same file open.
#[derive(Debug)]
pub struct Sqlite {
    // TODO: a connection of `rusqlite`
}

impl Sqlite {
    /// Opens the file at `path`, with all accounts that are in it, or makes it. Where another connection holds a lock, every call waits for `patience`
    /// at most, and is [`Unavailable`] then.
    ///
    /// # Errors
    /// [`Unavailable`] if the file cannot be opened, is locked, or is not a database.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, Unavailable> {
        todo!("open {} and wait {patience:?} for locks", path.display())
    }
}

impl Users for Sqlite {
    fn find(&self, id: UserId) -> Result<Option<User>, Unavailable> {
        todo!("find {id:?}")
    }

    fn find_by_email(&self, email: &Email) -> Result<Option<User>, Unavailable> {
        todo!("find who has {email}")
    }

    fn save(&mut self, user: &User) -> Result<(), NotSaved> {
        todo!("keep {user:?}, unless another user has the address")
    }

    fn list(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>, Unavailable> {
        todo!("{most} users after {after:?}")
    }
}
