//! Accounts in memory: for tests of the domain, and for a demonstration on a train.

use crate::domain::{Email, NotSaved, Unavailable, User, UserId, Users};

/// Forgets everything when it is dropped, and never fails.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    // TODO: how are they kept, so that both ways to find them are right after every change?
}

impl Users for Memory {
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
