//! Accounts in memory: for tests of the domain, and for a demonstration on a train.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::domain::{Email, NotSaved, Unavailable, User, UserId, Users};

/// Forgets everything when it is dropped, and never fails.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    users: BTreeMap<UserId, User>,
}

impl Users for Memory {
    fn find(&self, id: UserId) -> Result<Option<User>, Unavailable> {
        Ok(self.users.get(&id).cloned())
    }

    fn find_by_email(&self, email: &Email) -> Result<Option<User>, Unavailable> {
        Ok(self.users.values().find(|user| user.email == *email).cloned())
    }

    // ANCHOR: save
    fn save(&mut self, user: &User) -> Result<(), NotSaved> {
        if let Some(other) = self.find_by_email(&user.email)?.filter(|other| other.id != user.id) {
            return Err(NotSaved::EmailTaken { by: other.id });
        }
        self.users.insert(user.id, user.clone());
        Ok(())
    }
    // ANCHOR_END: save

    fn list(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>, Unavailable> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self.users.range((after, Bound::Unbounded)).take(most).map(|(_, user)| user.clone()).collect())
    }
}
