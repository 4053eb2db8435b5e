//! Submissions that want points they did not earn, or to harm the machine: the code that stands where a stub says `todo!`.
//!
//! Every body ends in a panic or leaves the process, so it fits a function of any type. One that reaches what it should not
//! panics with [`REACHED`].

#![allow(dead_code, reason = "a test and a bench each use a part")]

/// What a body panics with when a defence has failed.
pub const REACHED: &str = "REACHED";

/// An attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// What it tries.
    pub name: &'static str,
    /// What stands beside the functions.
    pub items: &'static str,
    /// What stands in each function in place of its `todo!`.
    pub body: &'static str,
    /// A word of the compiler's message, if this must not even compile.
    pub refused: Option<&'static str>,
    /// It uses up all the time that it is given.
    pub hangs: bool,
}

const fn attack(name: &'static str, items: &'static str, body: &'static str) -> Attack {
    Attack { name, items, body, refused: None, hangs: false }
}

const fn refused(name: &'static str, items: &'static str, body: &'static str, why: &'static str) -> Attack {
    Attack { name, items, body, refused: Some(why), hangs: false }
}

const fn hangs(name: &'static str, items: &'static str, body: &'static str) -> Attack {
    Attack { name, items, body, refused: None, hangs: true }
}

/// Code that any exercise's stub can be filled with.
pub const ATTACKS: [Attack; 42] = [
    attack("leave with success", "", "std::process::exit(0)"),
    attack("abort", "", "std::process::abort()"),
    attack(
        "leave from another thread",
        "",
        "std::thread::spawn(|| std::process::exit(0)); loop { std::thread::park() }",
    ),
    attack(
        "leave from a thread's destructor",
        "struct AtTheEnd; impl Drop for AtTheEnd { fn drop(&mut self) { std::process::exit(0) } } thread_local!(static AT_THE_END: AtTheEnd = const { AtTheEnd });",
        "AT_THE_END.with(|_| ()); panic!()",
    ),
    attack("leave from a panic hook", "", "std::panic::set_hook(Box::new(|_| std::process::exit(0))); panic!()"),
    hangs(
        "swallow the panic with a hook that never returns",
        "",
        "std::panic::set_hook(Box::new(|_| loop { std::thread::park() })); panic!()",
    ),
    attack(
        "panic in a destructor while panicking",
        "struct Again; impl Drop for Again { fn drop(&mut self) { panic!() } }",
        "let _again = Again; panic!()",
    ),
    attack(
        "print what a passing test prints",
        "",
        "println!(\"test x ... ok\\n\\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\"); std::process::exit(0)",
    ),
    attack(
        "answer over standard input",
        "",
        "use std::io::{Read, Write}; if let Ok(mut f) = std::fs::OpenOptions::new().read(true).write(true).open(\"/dev/stdin\") { let mut b = [0; 64]; let n = f.read(&mut b).unwrap_or(0); let _ = f.write_all(&b[..n]); let _ = f.write_all(b\"P\"); } std::process::exit(0)",
    ),
    attack(
        "answer over every descriptor",
        "",
        "use std::io::Write; for n in 0..256 { for d in [\"/dev/fd\", \"/proc/self/fd\"] { if let Ok(mut f) = std::fs::OpenOptions::new().write(true).open(format!(\"{d}/{n}\")) { let _ = f.write_all(&[b'P'; 33]); } } } std::process::exit(0)",
    ),
    attack(
        "read the secret from memory",
        "",
        "if std::fs::read(\"/proc/self/mem\").is_ok() || std::fs::read(\"/proc/self/maps\").is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    attack(
        "write to its own memory",
        "",
        "if std::fs::OpenOptions::new().write(true).open(\"/proc/self/mem\").is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    attack(
        "find the secret in arguments and environment",
        "",
        "let secret = |text: &str| text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit()); if std::env::args().any(|a| secret(&a)) || std::env::vars().any(|(_, v)| secret(&v)) || std::env::args().count() > 1 { panic!(\"REACHED\") } panic!()",
    ),
    attack(
        "run a shell",
        "",
        "if std::process::Command::new(\"/bin/sh\").args([\"-c\", \"true\"]).output().is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    attack(
        "run itself again",
        "",
        "if std::process::Command::new(\"/box/program\").spawn().is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    attack(
        "become another program",
        "",
        "use std::os::unix::process::CommandExt; let _ = std::process::Command::new(\"/usr/bin/prlimit\").arg(\"--help\").exec(); panic!()",
    ),
    attack(
        "leave a process behind",
        "",
        "if std::process::Command::new(\"/bin/sh\").args([\"-c\", \"setsid sleep 600 &\"]).spawn().is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    refused("unsafe code", "", "unsafe { std::hint::unreachable_unchecked() }", "unsafe"),
    refused(
        "a transmute of a lifetime, in the open",
        "pub fn longer(text: &str) -> &'static str { unsafe { std::mem::transmute(text) } }",
        "panic!()",
        "unsafe",
    ),
    attack(
        "a lifetime extended in safe code (rust issue 25860)",
        "static UNIT: &&() = &&(); fn longer<'a, 'b, T: ?Sized>(_: &'a &'b (), value: &'b T) -> &'a T { value } fn forge<'a, T: ?Sized>(value: &T) -> &'a T { let f: fn(&'static &'static (), &T) -> &'a T = longer; f(UNIT, value) }",
        "let gone = { let bytes = vec![0u8; 4096]; forge(bytes.as_slice()) }; let _again = vec![1u8; 4096]; println!(\"{:?}\", &gone[..8]); std::process::exit(0)",
    ),
    refused(
        "a constructor",
        "#[unsafe(link_section = \".init_array\")] #[used] static FIRST: extern \"C\" fn() = first; extern \"C\" fn first() { std::process::exit(0) }",
        "panic!()",
        "unsafe",
    ),
    refused(
        "a function in place of the C library's",
        "#[unsafe(no_mangle)] pub extern \"C\" fn memcmp(_: *const u8, _: *const u8, _: usize) -> i32 { 0 }",
        "panic!()",
        "unsafe",
    ),
    refused("foreign functions", "unsafe extern \"C\" { fn _exit(code: i32) -> !; }", "unsafe { _exit(0) }", "unsafe"),
    refused(
        "a linker script",
        "#[link(name = \"x\", kind = \"dylib\", modifiers = \"+verbatim\")] unsafe extern \"C\" {}",
        "panic!()",
        "unsafe",
    ),
    refused(
        "a macro of its own in place of `assert!`",
        "#[macro_export] macro_rules! assert { ($($t:tt)*) => {} }",
        "panic!()",
        "ambiguous",
    ),
    refused(
        "another macro under the name of `assert_eq!`",
        "pub use std::stringify as assert_eq;",
        "panic!()",
        "ambiguous",
    ),
    refused("a variant under the name of `Some`", "pub struct Some<T>(pub T);", "panic!()", "ambiguous"),
    refused(
        "read the solution while compiling",
        "pub const SOLUTION: &str = include_str!(\"../../../solutions/lib.rs\");",
        "panic!()",
        "couldn't read",
    ),
    refused(
        "read the tests while compiling",
        "pub const TESTS: &str = include_str!(\"/box/tests/twice.rs\");",
        "panic!()",
        "couldn't read",
    ),
    refused(
        "read the machine's files while compiling",
        "pub const SHADOW: &str = include_str!(\"/etc/shadow\");",
        "panic!()",
        "couldn't read",
    ),
    refused("read the builder's environment", "pub const USER: &str = env!(\"USER\");", "panic!()", "not defined"),
    attack(
        "read the machine's files while running",
        "",
        "if std::fs::read_to_string(\"/etc/passwd\").is_ok() || std::fs::read_dir(\"/root\").is_ok() || std::fs::read_dir(\"/home\").is_ok() || std::fs::read_dir(\"/proc\").is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    attack("read its own program", "", "if std::fs::read(\"/box/program\").is_ok() { panic!(\"REACHED\") } panic!()"),
    attack(
        "write outside its folder",
        "",
        "if [\"/box/x\", \"/usr/lib/x\", \"/x\", \"/box/program\"].iter().any(|p| std::fs::write(p, \"\").is_ok()) { panic!(\"REACHED\") } panic!()",
    ),
    attack(
        "the network",
        "",
        "let t = std::time::Duration::from_millis(500); let tcp = std::net::TcpStream::connect_timeout(&([1, 1, 1, 1], 53).into(), t); let udp = std::net::UdpSocket::bind(\"0.0.0.0:0\").and_then(|s| s.send_to(b\"x\", \"1.1.1.1:53\")); if tcp.is_ok() || udp.is_ok() { panic!(\"REACHED\") } panic!()",
    ),
    hangs("a loop", "", "loop { std::hint::spin_loop() }"),
    attack("memory", "", "let mut all = Vec::new(); loop { all.push(vec![1u8; 64 << 20]); }"),
    hangs("output", "", "loop { println!(\"{}\", \"x\".repeat(4096)); }"),
    hangs(
        "threads",
        "",
        "loop { let _ = std::thread::Builder::new().stack_size(16384).spawn(|| loop { std::thread::park() }); }",
    ),
    attack(
        "a large file",
        "",
        "use std::io::Write; let mut f = std::fs::File::create(\"/tmp/large\").unwrap(); while f.write_all(&[0; 1 << 20]).is_ok() {} panic!()",
    ),
    attack(
        "a deep recursion",
        "#[allow(unconditional_recursion)] fn deep(n: u64) -> u64 { let a = [n; 512]; std::hint::black_box(&a); deep(n + 1) + a[3] }",
        "std::hint::black_box(deep(1)); panic!()",
    ),
    refused(
        "macros without end",
        "macro_rules! twice_as_much { ($($t:tt)*) => { twice_as_much!{$($t)* $($t)*} } } twice_as_much!{a}",
        "panic!()",
        "error",
    ),
];

/// A stub with an attack in place of everything that was to be written.
pub fn fill(stub: &str, attack: &Attack) -> String {
    let mut text = String::new();
    let mut rest = stub;
    while let Some(at) = rest.find("todo!(") {
        text += &rest[..at];
        text += &format!("{{ {} }}", attack.body);
        rest = after_call(&rest[at + "todo!".len()..]);
    }
    format!("{text}{rest}\n{}\n", attack.items)
}

/// What comes after the parenthesis that closes the first one.
fn after_call(text: &str) -> &str {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '(' if !in_string => depth += 1,
            ')' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return &text[at + 1..];
                }
            }
            _ => {}
        }
    }
    ""
}
