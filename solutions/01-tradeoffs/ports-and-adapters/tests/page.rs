//! What the page says of SQLite.

use rusqlite::Connection;

fn with_ana_and_ben() -> Connection {
    let connection = Connection::open_in_memory().expect("memory");
    connection
        .execute_batch(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE);
             INSERT INTO users VALUES (1, 'ana'), (2, 'ben');",
        )
        .expect("a table");
    connection
}

#[test]
fn a_second_insert_is_a_unique_constraint_that_failed() {
    let failed = with_ana_and_ben().execute("INSERT INTO users VALUES (1, 'ana2')", []).expect_err("1 is taken");
    assert!(failed.to_string().contains("UNIQUE constraint failed: users.id"), "{failed}");
}

#[test]
fn insert_or_replace_deletes_the_row_of_somebody_else() {
    let connection = with_ana_and_ben();
    connection.execute("INSERT OR REPLACE INTO users VALUES (2, 'ana')", []).expect("no error, that is the point");
    let left: String =
        connection.query_row("SELECT group_concat(id || email) FROM users", [], |row| row.get(0)).expect("rows");
    assert_eq!(left, "2ana", "Ana's account, number 1, is gone");
}

#[test]
fn a_new_connection_waits_five_seconds_for_a_lock() {
    let connection = Connection::open_in_memory().expect("memory");
    let millis: i64 = connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).expect("a number");
    assert_eq!(millis, 5_000);
}
