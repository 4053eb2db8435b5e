// Were a store compiled together with the domain, its name would stand for two things here, and that is an error.
mod no_store_is_here {
    pub mod memory {
        pub const NONE: () = ();
    }
    pub mod sqlite {
        pub const NONE: () = ();
    }
}
use no_store_is_here::*;
use ports_and_adapters::*;
const _: [(); 2] = [memory::NONE, sqlite::NONE];

use domain::{Accounts, Email, NotSaved, Refused, Unavailable, User, UserId, Users};

#[derive(Default)]
struct Shelf(Vec<User>);

impl Users for Shelf {
    fn find(&self, id: UserId) -> Result<Option<User>, Unavailable> {
        Ok(self.0.iter().find(|user| user.id == id).cloned())
    }
    fn find_by_email(&self, email: &Email) -> Result<Option<User>, Unavailable> {
        Ok(self.0.iter().find(|user| user.email == *email).cloned())
    }
    fn save(&mut self, user: &User) -> Result<(), NotSaved> {
        self.0.push(user.clone());
        Ok(())
    }
    fn list(&self, _: Option<UserId>, _: usize) -> Result<Vec<User>, Unavailable> {
        Err(Unavailable { reason: "a shelf has no order".to_owned() })
    }
}

fn main() {
    let mut accounts = Accounts { users: Shelf::default() };
    let ana = accounts.register(UserId(1), "ana@example.org", "Ana").expect("the shelf is empty");
    assert_eq!(ana.email.as_str(), "ana@example.org");
    assert_eq!(accounts.users.0, [ana]);
    let nobody = accounts.change_email(UserId(2), "ben@example.org");
    assert_eq!(nobody, Err(Refused::Unknown(UserId(2))));
}
