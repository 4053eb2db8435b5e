//! The rules for accounts, and the port through which they are kept.

use std::fmt;

/// The number of a user. Every number is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// An address, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Nothing unless there is text on both sides of a single `@`, and no white space inside. Spaces around it do not matter, nor do capital letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, host) = text.split_once('@')?;
        let sound = !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace);
        sound.then(|| Self(text.to_lowercase()))
    }

    /// As it is kept and compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Whose account it is, for ever.
    pub id: UserId,
    /// Where mail goes. No two users have the same.
    pub email: Email,
    /// Any text.
    pub name: String,
}

/// The store cannot answer now. Whether what was asked for has happened is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// For the log, in the store's own words.
    pub reason: String,
}

/// Why a user was not saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSaved {
    /// Another user has the address. Nothing was changed.
    EmailTaken {
        /// Who has it.
        by: UserId,
    },
    /// The store cannot answer.
    Unavailable(Unavailable),
}

impl From<Unavailable> for NotSaved {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

/// The port: all that the domain asks of a store, in the domain's words.
pub trait Users {
    /// The user with this number. That there is none is an answer, and no failure.
    ///
    /// # Errors
    /// [`Unavailable`] if the store cannot tell.
    fn find(&self, id: UserId) -> Result<Option<User>, Unavailable>;

    /// The user who has this address now.
    ///
    /// # Errors
    /// [`Unavailable`] if the store cannot tell.
    fn find_by_email(&self, email: &Email) -> Result<Option<User>, Unavailable>;

    /// Keeps `user`: a new one, or in place of what was kept under the same number. All of it or nothing.
    ///
    /// # Errors
    /// [`NotSaved::EmailTaken`] if *another* user has the address; [`NotSaved::Unavailable`] if the store cannot tell whether it was saved.
    fn save(&mut self, user: &User) -> Result<(), NotSaved>;

    /// The users whose numbers are greater than `after`, or all, in the order of their numbers; `most` of them at most.
    ///
    /// # Errors
    /// [`Unavailable`] if the store cannot tell.
    fn list(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>, Unavailable>;
}

/// Why a request was refused; the store is then as it was before, or the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// This is no address.
    InvalidEmail(String),
    /// Somebody else has the address. Who, is not for the one who asks.
    EmailTaken,
    /// The number belongs to an account with another address.
    NumberTaken(UserId),
    /// There is no such account.
    Unknown(UserId),
    /// The store failed. Whoever asks again with the same words does no harm.
    TryLater(Unavailable),
}

// ANCHOR: map
impl From<Unavailable> for Refused {
    fn from(unavailable: Unavailable) -> Self {
        Self::TryLater(unavailable)
    }
}

impl From<NotSaved> for Refused {
    fn from(not_saved: NotSaved) -> Self {
        match not_saved {
            NotSaved::EmailTaken { by: _ } => Self::EmailTaken,
            NotSaved::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
// ANCHOR_END: map

/// What can be done with accounts, wherever they are kept.
#[derive(Debug)]
pub struct Accounts<U> {
    /// Where they are kept.
    pub users: U,
}

impl<U: Users> Accounts<U> {
    /// Opens an account. Doing so once more, with the same number and address, is no second registration: the account is answered as it is.
    ///
    /// # Errors
    /// [`Refused::InvalidEmail`], without asking the store; [`Refused::NumberTaken`]; [`Refused::EmailTaken`]; [`Refused::TryLater`] if the store fails, in
    /// whichever call.
    pub fn register(&mut self, id: UserId, email: &str, name: &str) -> Result<User, Refused> {
        let email = parsed(email)?;
        if let Some(known) = self.users.find(id)? {
            return if known.email == email { Ok(known) } else { Err(Refused::NumberTaken(id)) };
        }
        let user = User { id, email, name: name.to_owned() };
        self.users.save(&user)?;
        Ok(user)
    }

    /// Gives an account another address, and answers the account as it is then.
    ///
    /// # Errors
    /// [`Refused::InvalidEmail`], without asking the store; [`Refused::Unknown`]; [`Refused::EmailTaken`]; [`Refused::TryLater`] if the store fails, in
    /// whichever call.
    pub fn change_email(&mut self, id: UserId, email: &str) -> Result<User, Refused> {
        let email = parsed(email)?;
        let user = User { email, ..self.users.find(id)?.ok_or(Refused::Unknown(id))? };
        self.users.save(&user)?;
        Ok(user)
    }
}

fn parsed(email: &str) -> Result<Email, Refused> {
    Email::parse(email).ok_or_else(|| Refused::InvalidEmail(email.to_owned()))
}
