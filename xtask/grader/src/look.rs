//! What a person should look at: changes to what was handed out that could make a test compare nothing.
//!
//! Tests compare what a submission returns. If that is a type that is equal to everything, they pass. Such a type has an
//! equality of its own, or stands where another type was handed out. Neither is forbidden, and neither changes the points.

use std::collections::BTreeMap;

use judge::overlay::Sources;

/// What is odd about `sources`, next to what was handed out.
#[must_use]
pub fn look(handed_out: &Sources, sources: &Sources) -> Vec<String> {
    let (old, new) = (whole(handed_out), whole(sources));
    let mut odd = Vec::new();
    if own_equalities(&new) > own_equalities(&old) {
        odd.push("it has an equality of its own (`impl PartialEq`), and tests compare with it".to_owned());
    }
    if new.matches("trybuild").count() > old.matches("trybuild").count() {
        odd.push("it says `trybuild`: where a test asks the compiler, it is other code than where it runs".to_owned());
    }
    let now = returned(&new);
    for (name, types) in returned(&old) {
        let Some(now) = now.get(&name) else { continue };
        if let Some(gone) = types.iter().find(|kind| !now.contains(kind)) {
            let now = now.first().filter(|now| !now.is_empty()).map_or("nothing", |now| now);
            let gone = if gone.is_empty() { "nothing" } else { gone };
            odd.push(format!("`{name}` was handed out to return `{gone}` and returns `{now}`"));
        }
    }
    odd
}

/// All files in one text, without comments and with single spaces.
fn whole(sources: &Sources) -> String {
    let lines = sources.values().flat_map(|text| text.lines());
    let code = lines.map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// How many `impl … PartialEq … for` there are.
fn own_equalities(text: &str) -> usize {
    let is_word = |at: usize| text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let heads = text.match_indices("impl").filter(|(at, _)| is_word(*at));
    let heads = heads.filter_map(|(at, _)| text[at..].split_once('{').map(|(head, _)| head));
    heads.filter(|head| head.split_once(" for ").is_some_and(|(name, _)| name.contains("PartialEq"))).count()
}

/// What the public functions of each name return, as it is written.
fn returned(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, _) in text.match_indices("pub ") {
        let rest = text[at + "pub ".len()..].trim_start_matches("const ").trim_start_matches("async ");
        let Some(rest) = rest.strip_prefix("fn ") else { continue };
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let Some(rest) = rest.find('(').and_then(|open| after_parenthesis(&rest[open..])) else { continue };
        let end = rest.find(['{', ';']).unwrap_or(rest.len());
        let kind = rest[..end].split(" where ").next().unwrap_or_default().trim();
        let kind = kind.strip_prefix("->").unwrap_or_default().trim().to_owned();
        found.entry(name.to_owned()).or_default().push(kind);
    }
    found
}

/// What comes after the parenthesis that closes the first one.
fn after_parenthesis(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[at + 1..]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(old: &str, new: &str) -> Vec<String> {
        let sources = |text: &str| Sources::from([("lib.rs".to_owned(), text.to_owned())]);
        look(&sources(old), &sources(new))
    }

    const STUB: &str = "/// Doubles.\npub fn twice(n: u64) -> u64 {\n    todo!()\n}\n#[derive(PartialEq)]\npub struct Pair(u64);\nimpl Pair {\n    pub fn sum(&self)\n        -> Option<u64> { todo!() }\n    pub fn go(&mut self) { todo!() }\n}\n";

    #[test]
    fn work_within_what_was_handed_out_is_not_odd() {
        let new = "use std::collections::BTreeMap; pub fn twice(m: u64) -> u64 { m * 2 } mod x { pub struct Pair(u64); impl Pair { pub fn sum(&self) -> Option<u64> { None } pub fn go(&mut self) {} pub fn more() -> u8 { 0 } } } pub use x::*; impl Ord for Pair {}";
        assert_eq!(looked(STUB, new), Vec::<String>::new());
    }

    #[test]
    fn an_equality_of_its_own_is_odd() {
        let new = format!("{STUB}impl<T> PartialEq<T> for Pair {{ fn eq(&self, _: &T) -> bool {{ true }} }}");
        assert!(looked(STUB, &new)[0].contains("PartialEq"));
        assert_eq!(looked(&new, &new), Vec::<String>::new());
        assert_eq!(looked(STUB, "// impl PartialEq for X {"), Vec::<String>::new());
    }

    #[test]
    fn another_face_for_the_compiler_is_odd() {
        let new = format!("#[cfg(trybuild)] mod honest; {STUB}");
        assert!(looked(STUB, &new)[0].contains("trybuild"));
        assert_eq!(looked(&new, &new), Vec::<String>::new());
    }

    #[test]
    fn another_type_in_place_of_the_one_handed_out_is_odd() {
        let odd = looked(STUB, &STUB.replace("n: u64) -> u64", "n: u64) -> Any"));
        assert_eq!(odd, ["`twice` was handed out to return `u64` and returns `Any`"]);
        let odd = looked(STUB, &STUB.replace("pub fn go(&mut self)", "pub fn go(&mut self) -> Any"));
        assert_eq!(odd, ["`go` was handed out to return `nothing` and returns `Any`"]);
    }
}
