//! What callers of the domain see, what every store must do, and who may know whom.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kit::compile::Compiler;
use kit::{Sometimes, for_seeds};
use ports_and_adapters::domain::{Accounts, Email, NotSaved, Refused, Unavailable, User, UserId, Users};
use ports_and_adapters::memory::Memory;
use ports_and_adapters::sqlite::Sqlite;
use rand::RngExt as _;
use tempfile::TempDir;

fn email(text: &str) -> Email {
    Email::parse(text).expect("an address")
}

fn user(id: u64, address: &str, name: &str) -> User {
    User { id: UserId(id), email: email(address), name: name.to_owned() }
}

fn ana() -> User {
    user(1, "ana@example.org", "Ana")
}

fn ben() -> User {
    user(2, "ben@example.org", "Ben")
}

mod stage_1_the_domain {
    use super::*;
    use pretty_assertions::assert_eq;

    /// A store that does what the port says, and fails where a test wants it to. No adapter of yours: this stage tests the domain alone.
    #[derive(Default)]
    struct Fake {
        users: Vec<User>,
        calls: Cell<usize>,
        /// Which call fails, counted from 1.
        fails_at: Option<usize>,
        /// The call that fails, fails after it was done.
        only_the_answer_is_lost: bool,
        /// Somebody else saves this user immediately before our next `save`.
        overtaken_by: Option<User>,
    }

    impl Fake {
        fn with(users: &[User]) -> Self {
            Self { users: users.to_vec(), ..Self::default() }
        }

        fn fails(&self) -> bool {
            self.calls.set(self.calls.get() + 1);
            Some(self.calls.get()) == self.fails_at
        }

        fn answer<T>(&self, answer: T) -> Result<T, Unavailable> {
            if self.fails() { Err(down()) } else { Ok(answer) }
        }
    }

    fn down() -> Unavailable {
        Unavailable { reason: "the cable is out".to_owned() }
    }

    impl Users for Fake {
        fn find(&self, id: UserId) -> Result<Option<User>, Unavailable> {
            self.answer(self.users.iter().find(|user| user.id == id).cloned())
        }

        fn find_by_email(&self, email: &Email) -> Result<Option<User>, Unavailable> {
            self.answer(self.users.iter().find(|user| user.email == *email).cloned())
        }

        fn save(&mut self, user: &User) -> Result<(), NotSaved> {
            let fails = self.fails();
            if fails && !self.only_the_answer_is_lost {
                return Err(down().into());
            }
            self.users.extend(self.overtaken_by.take());
            if let Some(other) = self.users.iter().find(|other| other.email == user.email && other.id != user.id) {
                return Err(NotSaved::EmailTaken { by: other.id });
            }
            self.users.retain(|other| other.id != user.id);
            self.users.push(user.clone());
            if fails { Err(down().into()) } else { Ok(()) }
        }

        fn list(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>, Unavailable> {
            let mut users = self.users.clone();
            users.sort_by_key(|user| user.id);
            users.retain(|user| after.is_none_or(|after| user.id > after));
            users.truncate(most);
            self.answer(users)
        }
    }

    #[test]
    fn a_registration_is_kept_and_answered() {
        let mut accounts = Accounts { users: Fake::default() };
        let answered = accounts.register(UserId(1), " Ana@Example.org ", "Ana");
        assert_eq!(answered, Ok(ana()));
        assert_eq!(accounts.users.users, [ana()], "what is answered is kept");
    }

    #[test]
    fn what_is_no_address_is_refused_before_the_store_is_asked() {
        let mut accounts = Accounts { users: Fake::with(&[ana()]) };
        let nonsense = "ana at example.org";
        let refused = Err(Refused::InvalidEmail(nonsense.to_owned()));
        assert_eq!(accounts.register(UserId(7), nonsense, "Ana"), refused);
        assert_eq!(accounts.change_email(UserId(1), nonsense), refused);
        assert_eq!(accounts.users.calls.get(), 0, "calls of the store");
    }

    #[test]
    fn an_address_of_somebody_else_is_refused() {
        let mut accounts = Accounts { users: Fake::with(&[ana(), ben()]) };
        assert_eq!(accounts.register(UserId(7), "ANA@example.org", "Anton"), Err(Refused::EmailTaken));
        assert_eq!(accounts.change_email(UserId(2), "ana@example.org"), Err(Refused::EmailTaken));
        assert_eq!(accounts.users.users, [ana(), ben()], "nothing changed");
    }

    /// Saving replaces what was kept under the number. Registering must not.
    #[test]
    fn a_number_is_not_given_twice() {
        let mut accounts = Accounts { users: Fake::with(&[ana()]) };
        let refused = accounts.register(UserId(1), "ben@example.org", "Ben");
        assert_eq!(refused, Err(Refused::NumberTaken(UserId(1))));
        assert_eq!(accounts.users.users, [ana()], "Ana's account is Ana's");
    }

    #[test]
    fn a_new_address_changes_nothing_else() {
        let mut accounts = Accounts { users: Fake::with(&[ana(), ben()]) };
        let changed = user(1, "ana@example.net", "Ana");
        assert_eq!(accounts.change_email(UserId(1), "ana@example.net"), Ok(changed.clone()));
        assert_eq!(accounts.users.list(None, 9), Ok(vec![changed, ben()]));
        assert_eq!(accounts.change_email(UserId(7), "zoe@example.org"), Err(Refused::Unknown(UserId(7))));
        assert_eq!(accounts.users.users.len(), 2, "nobody was made up");
    }

    /// Between our look and our save somebody else registers the address. Only the store can know.
    #[test]
    fn an_address_that_is_taken_at_the_last_moment_is_refused() {
        let overtaken = || Fake { overtaken_by: Some(user(9, "zoe@example.org", "Zoe")), ..Fake::with(&[ana()]) };
        let mut accounts = Accounts { users: overtaken() };
        assert_eq!(accounts.register(UserId(7), "zoe@example.org", "Zoe"), Err(Refused::EmailTaken), "register");
        let mut accounts = Accounts { users: overtaken() };
        assert_eq!(accounts.change_email(UserId(1), "zoe@example.org"), Err(Refused::EmailTaken), "change_email");
    }

    /// The first call fails, or the second, or …: no answer may be made of a failure.
    #[test]
    fn whichever_call_fails_the_answer_is_try_later() {
        let sometimes = Sometimes::expect(["the first call", "a later call", "none"]);
        for fails_at in 1..=5 {
            let failing = || Fake { fails_at: Some(fails_at), ..Fake::with(&[ana(), ben()]) };
            type Act = fn(&mut Accounts<Fake>) -> Result<User, Refused>;
            let acts: [(&str, Act); 5] = [
                ("a new account", |accounts| accounts.register(UserId(7), "zoe@example.org", "Zoe")),
                ("a number that is taken", |accounts| accounts.register(UserId(1), "zoe@example.org", "Zoe")),
                ("an address that is taken", |accounts| accounts.register(UserId(7), "ben@example.org", "Ben")),
                ("a change", |accounts| accounts.change_email(UserId(1), "zoe@example.org")),
                ("a change of nobody", |accounts| accounts.change_email(UserId(7), "zoe@example.org")),
            ];
            for (what, act) in acts {
                let mut accounts = Accounts { users: failing() };
                let answer = act(&mut accounts);
                if accounts.users.calls.get() < fails_at {
                    sometimes.saw("none", true);
                    continue;
                }
                sometimes.saw(if fails_at == 1 { "the first call" } else { "a later call" }, true);
                assert_eq!(
                    answer,
                    Err(Refused::TryLater(down())),
                    "{what}: call {fails_at} of the store failed, so nobody knows"
                );
                assert_eq!(accounts.users.users, [ana(), ben()], "{what}, call {fails_at} failed: nothing was saved");
            }
        }
    }

    /// It was saved, and the answer got lost. Ana presses the button again.
    #[test]
    fn asking_again_after_a_failure_registers_once() {
        let sometimes = Sometimes::expect(["saved although the answer was a failure"]);
        for fails_at in 1..=4 {
            let users = Fake { fails_at: Some(fails_at), only_the_answer_is_lost: true, ..Fake::default() };
            let mut accounts = Accounts { users };
            let first = accounts.register(UserId(1), "ana@example.org", "Ana");
            sometimes
                .saw("saved although the answer was a failure", first.is_err() && !accounts.users.users.is_empty());
            accounts.users.fails_at = None;
            let second = accounts.register(UserId(1), "ana@example.org", "Ana");
            assert_eq!(second, Ok(ana()), "call {fails_at} failed, the first answer was {first:?}");
            assert_eq!(accounts.users.users, [ana()]);
        }
    }

    /// Her name was changed since. The button remembers the old one.
    #[test]
    fn asking_again_does_not_undo_what_happened_since() {
        let married = user(1, "ana@example.org", "Ana Maria");
        let mut accounts = Accounts { users: Fake::with(std::slice::from_ref(&married)) };
        assert_eq!(accounts.register(UserId(1), "ana@example.org", "Ana"), Ok(married.clone()));
        assert_eq!(accounts.users.users, [married]);
    }
}

/// What the port promises, for whichever adapter. Each law gets an empty store.
mod contract {
    use super::*;
    use pretty_assertions::assert_eq;

    fn saved(users: &mut impl Users, user: &User) {
        assert_eq!(users.save(user), Ok(()), "save {user:?}");
    }

    pub fn who_was_saved_is_found(mut users: impl Users) {
        saved(&mut users, &ana());
        saved(&mut users, &ben());
        for user in [ana(), ben()] {
            assert_eq!(users.find(user.id), Ok(Some(user.clone())));
            assert_eq!(users.find_by_email(&user.email), Ok(Some(user)));
        }
    }

    pub fn that_nobody_is_there_is_an_answer(mut users: impl Users) {
        for _ in 0..2 {
            assert_eq!(users.find(UserId(7)), Ok(None), "find");
            assert_eq!(users.find_by_email(&email("zoe@example.org")), Ok(None), "find_by_email");
            assert_eq!(users.list(Some(UserId(7)), 10), Ok(vec![]), "list");
            saved(&mut users, &ana());
        }
    }

    pub fn saving_again_changes_the_user(mut users: impl Users) {
        saved(&mut users, &ana());
        let changed = user(1, "ana@example.net", "Ana Maria");
        for _ in 0..2 {
            saved(&mut users, &changed);
            assert_eq!(users.find(UserId(1)), Ok(Some(changed.clone())));
            assert_eq!(users.find_by_email(&changed.email), Ok(Some(changed.clone())));
            assert_eq!(users.list(None, 10), Ok(vec![changed.clone()]), "one number, one user");
        }
    }

    pub fn an_address_that_was_given_up_is_free(mut users: impl Users) {
        saved(&mut users, &ana());
        saved(&mut users, &user(1, "ana@example.net", "Ana"));
        assert_eq!(users.find_by_email(&ana().email), Ok(None), "nobody has ana@example.org now");
        let heir = user(2, "ana@example.org", "Another Ana");
        saved(&mut users, &heir);
        assert_eq!(users.find_by_email(&heir.email), Ok(Some(heir)));
    }

    pub fn an_address_belongs_to_one_user(mut users: impl Users) {
        saved(&mut users, &ana());
        saved(&mut users, &ben());
        let taken = Err(NotSaved::EmailTaken { by: UserId(1) });
        assert_eq!(users.save(&user(2, "ana@example.org", "Benjamin")), taken, "Ben wants Ana's address");
        assert_eq!(users.save(&user(7, "ana@example.org", "Zoe")), taken, "a new user wants Ana's address");
        assert_eq!(users.list(None, 10), Ok(vec![ana(), ben()]), "a refused save changes nothing, not even a name");
        assert_eq!(users.find_by_email(&ana().email), Ok(Some(ana())));
    }

    pub fn any_text_is_text(mut users: impl Users) {
        let texts = ["", "Robert'); DROP TABLE users;--", "\"' \\ % _ ?1", "a\0b", "Zoë 🦀", " 7 ", "NULL"];
        for (id, text) in (0..).zip(texts) {
            saved(&mut users, &user(id, &format!("o'neil-{id}@example.org"), text));
        }
        for (id, text) in (0..).zip(texts) {
            let expected = user(id, &format!("o'neil-{id}@example.org"), text);
            assert_eq!(users.find(UserId(id)), Ok(Some(expected.clone())));
            assert_eq!(users.find_by_email(&expected.email), Ok(Some(expected)));
        }
        assert_eq!(users.find_by_email(&email("o'neil-%@example.org")), Ok(None), "no pattern, no user");
    }

    pub fn the_list_is_in_the_order_of_the_numbers(mut users: impl Users) {
        let ids = [30, 4, 2_000, 100, 1, 5];
        for id in ids {
            saved(&mut users, &user(id, &format!("{}@example.org", 9_000 - id), "N."));
        }
        let listed = |after: Option<u64>, most| -> Vec<u64> {
            let page = users.list(after.map(UserId), most).expect("the store is well");
            page.iter().map(|user| user.id.0).collect()
        };
        assert_eq!(listed(None, usize::MAX), [1, 4, 5, 30, 100, 2_000]);
        assert_eq!(listed(None, 2), [1, 4], "the first two");
        assert_eq!(listed(Some(4), 2), [5, 30], "the next two: 4 was seen");
        assert_eq!(listed(Some(6), 3), [30, 100, 2_000], "after a number that nobody has");
        assert_eq!(listed(Some(2_000), 3), [] as [u64; 0], "after the last");
        assert_eq!(listed(None, 0), [] as [u64; 0], "none were asked for");
    }

    pub fn every_number_is_a_number(mut users: impl Users) {
        let half = 1 << 63;
        let ids = [half, u64::MAX, 0, half - 1, 1, u64::MAX - 1];
        for id in ids {
            saved(&mut users, &user(id, &format!("{id}@example.org"), "N."));
        }
        let page = users.list(None, 10).expect("the store is well");
        let listed: Vec<u64> = page.iter().map(|user| user.id.0).collect();
        assert_eq!(listed, [0, 1, half - 1, half, u64::MAX - 1, u64::MAX]);
        let after = users.list(Some(UserId(half - 1)), 1).expect("the store is well");
        assert_eq!(after.iter().map(|user| user.id.0).collect::<Vec<_>>(), [half], "the one after {}", half - 1);
        assert_eq!(
            users.find(UserId(u64::MAX)).expect("the store is well").map(|user| user.id),
            Some(UserId(u64::MAX))
        );
    }

    /// Six numbers and six addresses, so that they meet often; a list says what is right.
    pub fn whatever_is_done_a_list_would_answer_the_same<U: Users>(runs: u64, mut empty: impl FnMut() -> U) {
        let sometimes = Sometimes::expect(["an address is taken", "a user changes", "a freed address is used"]);
        for_seeds(runs, |seed| {
            let mut rng = seed.rng();
            let mut users = empty();
            let mut list: Vec<User> = Vec::new();
            let mut freed: Vec<Email> = Vec::new();
            for step in 0..30 {
                let wanted = user(rng.random_range(0..6), &format!("{}@x", rng.random_range(0..6)), &step.to_string());
                let owner = list.iter().find(|other| other.email == wanted.email && other.id != wanted.id);
                let expected = owner.map_or(Ok(()), |owner| Err(NotSaved::EmailTaken { by: owner.id }));
                sometimes.saw("an address is taken", expected.is_err());
                if expected.is_ok() {
                    sometimes.saw("a freed address is used", freed.contains(&wanted.email));
                    if let Some(at) = list.iter().position(|other| other.id == wanted.id) {
                        sometimes.saw("a user changes", true);
                        freed.push(list.remove(at).email);
                    }
                    list.push(wanted.clone());
                    list.sort_by_key(|user| user.id);
                }
                assert_eq!(users.save(&wanted), expected, "seed {seed}, step {step}: save {wanted:?} into {list:?}");
            }
            assert_eq!(users.list(None, 10), Ok(list.clone()), "seed {seed}");
            for n in 0..6 {
                let by = |same: &dyn Fn(&User) -> bool| Ok(list.iter().find(|user| same(user)).cloned());
                assert_eq!(users.find(UserId(n)), by(&|user| user.id.0 == n), "seed {seed}: find {n}");
                let email = email(&format!("{n}@x"));
                assert_eq!(users.find_by_email(&email), by(&|user| user.email == email), "seed {seed}: find {email}");
            }
        });
    }
}

mod stage_2_memory {
    use super::*;

    fn empty() -> Memory {
        Memory::default()
    }

    #[test]
    fn who_was_saved_is_found() {
        contract::who_was_saved_is_found(empty());
    }

    #[test]
    fn that_nobody_is_there_is_an_answer() {
        contract::that_nobody_is_there_is_an_answer(empty());
    }

    #[test]
    fn saving_again_changes_the_user() {
        contract::saving_again_changes_the_user(empty());
    }

    #[test]
    fn an_address_that_was_given_up_is_free() {
        contract::an_address_that_was_given_up_is_free(empty());
    }

    #[test]
    fn an_address_belongs_to_one_user() {
        contract::an_address_belongs_to_one_user(empty());
    }

    #[test]
    fn any_text_is_text() {
        contract::any_text_is_text(empty());
    }

    #[test]
    fn the_list_is_in_the_order_of_the_numbers() {
        contract::the_list_is_in_the_order_of_the_numbers(empty());
    }

    #[test]
    fn every_number_is_a_number() {
        contract::every_number_is_a_number(empty());
    }

    #[test]
    fn whatever_is_done_a_list_would_answer_the_same() {
        contract::whatever_is_done_a_list_would_answer_the_same(100, empty);
    }
}

/// A new folder with the path of a file that is not there yet. It is gone at the end of the test.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("accounts.db");
    (folder, file)
}

fn open(file: &Path) -> Sqlite {
    Sqlite::open(file, Duration::ZERO).expect("nobody else has it open")
}

mod stage_3_sqlite {
    use super::*;

    fn with_a_file(law: impl FnOnce(Sqlite)) {
        let (_folder, file) = folder();
        law(open(&file));
    }

    #[test]
    fn who_was_saved_is_found() {
        with_a_file(contract::who_was_saved_is_found);
    }

    #[test]
    fn that_nobody_is_there_is_an_answer() {
        with_a_file(contract::that_nobody_is_there_is_an_answer);
    }

    #[test]
    fn saving_again_changes_the_user() {
        with_a_file(contract::saving_again_changes_the_user);
    }

    #[test]
    fn an_address_that_was_given_up_is_free() {
        with_a_file(contract::an_address_that_was_given_up_is_free);
    }

    #[test]
    fn an_address_belongs_to_one_user() {
        with_a_file(contract::an_address_belongs_to_one_user);
    }

    #[test]
    fn any_text_is_text() {
        with_a_file(contract::any_text_is_text);
    }

    #[test]
    fn the_list_is_in_the_order_of_the_numbers() {
        with_a_file(contract::the_list_is_in_the_order_of_the_numbers);
    }

    #[test]
    fn every_number_is_a_number() {
        with_a_file(contract::every_number_is_a_number);
    }

    /// Few runs: each save waits for a disk.
    #[test]
    fn whatever_is_done_a_list_would_answer_the_same() {
        let mut folders = Vec::new();
        contract::whatever_is_done_a_list_would_answer_the_same(6, || {
            let (folder, file) = folder();
            folders.push(folder);
            open(&file)
        });
    }
}

/// What a file can do that a map cannot.
mod stage_4_the_file {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn what_was_saved_is_there_after_a_restart() {
        let (_folder, file) = folder();
        for user in [ana(), user(2, "temporary@example.org", "B."), ben()] {
            open(&file).save(&user).expect("there is room");
        }
        for restart in 1..=2 {
            assert_eq!(open(&file).list(None, 10), Ok(vec![ana(), ben()]), "restart {restart}");
        }
    }

    /// Two processes, one file.
    #[test]
    fn all_connections_see_one_store() {
        let (_folder, file) = folder();
        let (mut one, mut other) = (open(&file), open(&file));
        assert_eq!(other.find(UserId(1)), Ok(None));
        one.save(&ana()).expect("there is room");
        assert_eq!(other.find(UserId(1)), Ok(Some(ana())));
        assert_eq!(other.save(&user(2, "ana@example.org", "Ben")), Err(NotSaved::EmailTaken { by: UserId(1) }));
        other.save(&ben()).expect("there is room");
        assert_eq!(one.find_by_email(&ben().email), Ok(Some(ben())));
    }

    /// A backup holds the lock. Nobody can tell, and nobody may panic or make it up.
    #[test]
    fn a_store_that_is_locked_is_unavailable_and_recovers() {
        let (_folder, file) = folder();
        let mut users = open(&file);
        users.save(&ana()).expect("there is room");
        let backup = rusqlite::Connection::open(&file).expect("the file");
        backup.execute_batch("BEGIN EXCLUSIVE").expect("a lock");

        assert!(users.find(UserId(1)).is_err(), "find: Ana may be there or not");
        assert!(users.find_by_email(&ana().email).is_err(), "find_by_email: Ana may be there or not");
        assert!(users.list(None, 10).is_err(), "list: Ana may be there or not");
        let refused = users.save(&ben());
        assert!(matches!(refused, Err(NotSaved::Unavailable(_))), "save: {refused:?}");
        let opened = Sqlite::open(&file, Duration::ZERO).map(|users| users.find(UserId(1)));
        assert!(!matches!(opened, Ok(Ok(_))), "another connection: {opened:?}");

        backup.execute_batch("ROLLBACK").expect("no lock");
        assert_eq!(users.save(&ben()), Ok(()), "the lock is gone");
        assert_eq!(users.list(None, 10), Ok(vec![ana(), ben()]));
    }

    #[test]
    fn what_is_no_database_is_unavailable_and_stays_as_it_is() {
        let (_folder, file) = folder();
        let text = "Dear diary, today I was opened by a database. ".repeat(100);
        fs::write(&file, &text).expect("a file");
        let opened = Sqlite::open(&file, Duration::ZERO).map(|users| users.find(UserId(1)));
        assert!(!matches!(opened, Ok(Ok(_))), "a diary: {opened:?}");
        assert_eq!(fs::read_to_string(&file).ok(), Some(text), "the diary is not ours");
        let missing = file.join("no/such/folder");
        assert!(Sqlite::open(&missing, Duration::ZERO).is_err(), "a folder that is not there");
    }

    /// The rules of stage 1 on the file of stage 3. Only this line knows both.
    #[test]
    fn the_domain_works_with_a_real_store() {
        let (_folder, file) = folder();
        let mut accounts = Accounts { users: open(&file) };
        assert_eq!(accounts.register(UserId(1), "ana@example.org", "Ana"), Ok(ana()));
        assert_eq!(accounts.register(UserId(1), "ana@example.org", "Ana"), Ok(ana()), "once more");
        assert_eq!(accounts.register(UserId(2), "ana@example.org", "Ben"), Err(Refused::EmailTaken));
        let accounts_elsewhere = Accounts { users: open(&file) }.change_email(UserId(1), "ana@example.net");
        assert_eq!(accounts_elsewhere, Ok(user(1, "ana@example.net", "Ana")));
        assert_eq!(accounts.register(UserId(2), "ana@example.org", "Ben"), Ok(user(2, "ana@example.org", "Ben")));
    }
}

mod stage_5_the_boundary {
    use super::*;

    /// Another team keeps users in a list, in a program that has never heard of SQLite. The domain is compiled without any store and without
    /// `rusqlite`; that takes a second or two.
    #[test]
    fn the_domain_compiles_and_works_where_no_store_of_ours_exists() {
        let mut accounts = Accounts { users: Memory::default() };
        assert!(accounts.register(UserId(1), "ana@example.org", "Ana").is_ok(), "with a store, it works");
        let program = include_str!("programs/the_domain_compiles_and_works_where_no_store_of_ours_exists/runs.rs");
        let compiler = Compiler {
            package: env!("CARGO_MANIFEST_DIR"),
            test: "stage_5_the_boundary::the_domain_compiles_and_works_where_no_store_of_ours_exists",
        };
        // A grader's box has no compiler. There the grader compiles and runs the same program, and this test is as good as its answer.
        if !Path::new(compiler.package).join("Cargo.toml").exists() {
            return;
        }
        if let Err(said) = compiler.runs(program) {
            panic!("with nothing but the domain:\n{said}");
        }
    }
}
