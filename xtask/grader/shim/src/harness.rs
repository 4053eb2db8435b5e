//! The harness itself: what the compiler calls, the fences, the answer.

use std::any::Any;
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Termination, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::net::{RecvFlags, SendFlags};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

pub use TestFn::{StaticBenchFn, StaticTestFn};
pub use TestName::{DynTestName, StaticTestName};

/// The secret's length in bytes.
pub const SECRET: usize = 32;
/// The answer's byte for: the secret was read, the test begins.
pub const BEGINS: u8 = b'B';
/// The answer's byte for: the test returned, and was content.
pub const PASSED: u8 = b'P';
/// The answer's byte for: the test returned or panicked, and was not content. The reason follows.
pub const FAILED: u8 = b'F';

/// The answer's byte for: the test could not be started, and no code of the submission ran.
pub const FAULT: u8 = b'X';

/// Whether a test is to panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShouldPanic {
    /// It is not.
    No,
    /// It is, with any message.
    Yes,
    /// It is, with a message that contains this.
    YesWithMessage(&'static str),
}

/// Where a test stands.
#[derive(Clone, Copy, Debug)]
pub enum TestType {
    /// Beside the code.
    UnitTest,
    /// In `tests/`.
    IntegrationTest,
    /// In a doc comment.
    DocTest,
    /// Somewhere.
    Unknown,
}

/// A test's full name.
#[derive(Clone, Debug)]
pub enum TestName {
    /// As the compiler writes it.
    StaticTestName(&'static str),
    /// Made at run time.
    DynTestName(String),
}

/// What a test does.
#[derive(Clone, Copy)]
pub enum TestFn {
    /// A test.
    StaticTestFn(fn() -> Result<(), String>),
    /// A bench of the unstable kind.
    StaticBenchFn(fn(&mut Bencher) -> Result<(), String>),
}

/// What a bench would be given.
#[derive(Clone, Copy, Debug)]
pub struct Bencher;

/// What the compiler knows of a test.
#[allow(missing_docs, reason = "the fields are the compiler's")]
#[derive(Clone, Debug)]
pub struct TestDesc {
    pub name: TestName,
    pub ignore: bool,
    pub ignore_message: Option<&'static str>,
    pub source_file: &'static str,
    pub start_line: usize,
    pub start_col: usize,
    pub end_line: usize,
    pub end_col: usize,
    pub compile_fail: bool,
    pub no_run: bool,
    pub should_panic: ShouldPanic,
    pub test_type: TestType,
}

/// A test and what is known of it.
#[allow(missing_docs, reason = "the fields are the compiler's")]
pub struct TestDescAndFn {
    pub desc: TestDesc,
    pub testfn: TestFn,
}

/// What a test returned, as a result.
///
/// # Errors
/// It returned an error or an exit code other than success.
pub fn assert_test_result<T: Termination>(result: T) -> Result<(), String> {
    let code = result.report();
    // An exit code shows its number only this way.
    if format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS) {
        Ok(())
    } else {
        Err("the test returned an error".to_owned())
    }
}

/// Runs the test that the grader names, and answers. The compiler writes the call.
pub fn test_main_static(tests: &[&TestDescAndFn]) {
    let Some((socket, secret, name)) = read_request() else {
        eprintln!("this program was built for grading and answers only to the grader");
        exit(2)
    };
    let answer = |verdict: u8, text: &str| {
        let mut message = secret.to_vec();
        message.push(verdict);
        message.extend(text.bytes().take(2_000));
        let _ = rustix::net::send(&socket, &message, SendFlags::NOSIGNAL);
    };
    let wanted = tests.iter().find(|test| match &test.desc.name {
        StaticTestName(known) => *known == name,
        DynTestName(known) => *known == name,
    });
    let Some(TestDescAndFn { desc, testfn: StaticTestFn(function) }) = wanted.copied() else {
        answer(FAILED, "there is no such test");
        exit(0)
    };
    let (function, should_panic) = (*function, desc.should_panic);
    let fd = socket.as_raw_fd();
    // Without its fences no test may run: the grader then sees that the test never began, and blames itself.
    let fenced = process_fence().and_then(|fences| fences.iter().try_for_each(apply));
    let Some(()) = fenced else { exit(3) };
    let Some(thread_fence) = thread_fence(fd) else { exit(3) };
    answer(BEGINS, "");
    let returned = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&returned);
    let run = move || {
        apply(&thread_fence)?;
        let outcome = catch_unwind(AssertUnwindSafe(function));
        flag.store(true, Ordering::SeqCst);
        Some(outcome)
    };
    let joined = thread::Builder::new().name(name).spawn(run).map(thread::JoinHandle::join);
    let outcome = match joined {
        Ok(Ok(Some(outcome))) if returned.load(Ordering::SeqCst) => outcome,
        Ok(Err(panic)) => Err(panic),
        _ => {
            answer(FAULT, "no thread, or no fence around it");
            exit(3)
        }
    };
    match (outcome, should_panic) {
        (Ok(Ok(())), ShouldPanic::No) | (Err(_), ShouldPanic::Yes) => answer(PASSED, ""),
        (Ok(Ok(())), _) => answer(FAILED, "the test did not panic, and should have"),
        (Ok(Err(why)), _) => answer(FAILED, &why),
        (Err(panic), ShouldPanic::No) => answer(FAILED, text_of(panic.as_ref())),
        (Err(panic), ShouldPanic::YesWithMessage(part)) => {
            let text = text_of(panic.as_ref());
            if text.contains(part) { answer(PASSED, "") } else { answer(FAILED, text) }
        }
    }
    exit(0)
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

/// The socket under a number that is closed on exec, the secret and the test's name; standard input is empty afterwards.
fn read_request() -> Option<(OwnedFd, [u8; SECRET], String)> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 100).ok()?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).ok()?;
    rustix::stdio::dup2_stdin(&null).ok()?;
    let mut request = [0; SECRET + 512];
    let (_, length) = rustix::net::recv(&socket, &mut request, RecvFlags::empty()).ok()?;
    let secret = request.get(..SECRET)?.try_into().ok()?;
    let name = String::from_utf8(request.get(SECRET..length)?.to_vec()).ok()?;
    Some((socket, secret, name))
}

fn apply(fence: &BpfProgram) -> Option<()> {
    seccompiler::apply_filter(fence).ok()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn fence(rules: Rules, errno: i32) -> Option<BpfProgram> {
    let arch: TargetArch = std::env::consts::ARCH.try_into().ok()?;
    let deny = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, deny, arch).ok()?.try_into().ok()
}

/// For the whole process: no other program, no child, no look into another process.
fn process_fence() -> Option<[BpfProgram; 2]> {
    let mut rules = Rules::new();
    for call in [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        libc::SYS_io_uring_setup,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_memfd_create,
    ] {
        rules.insert(call, Vec::new());
    }
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_fork, libc::SYS_vfork] {
        rules.insert(call, Vec::new());
    }
    // A clone is a thread or it is nothing.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let is_process = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0).ok()?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_process]).ok()?]);
    // Its flags lie in memory, where a filter cannot look; the C library falls back to clone when it is told "no such call".
    let clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    Some([fence(rules, libc::EPERM)?, fence(clone3, libc::ENOSYS)?])
}

/// For the test's thread and every thread that it starts: no signal, no handler, and nothing with the socket.
fn thread_fence(socket: i32) -> Option<BpfProgram> {
    let mut rules = Rules::new();
    for call in [
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pidfd_open,
        libc::SYS_rt_sigaction,
        libc::SYS_timer_create,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
    ] {
        rules.insert(call, Vec::new());
    }
    // An abort may end the process: that is no answer. Any other signal could run something.
    let abort = u64::from(libc::SIGABRT.unsigned_abs());
    let other = SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, abort).ok()?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![other]).ok()?]);
    let socket = u64::from(socket.unsigned_abs());
    let of_first: [i64; 25] = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_preadv,
        libc::SYS_preadv2,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwrite64,
        libc::SYS_pwritev,
        libc::SYS_pwritev2,
        libc::SYS_sendto,
        libc::SYS_sendfile,
        libc::SYS_splice,
        libc::SYS_tee,
        libc::SYS_vmsplice,
        libc::SYS_dup,
        libc::SYS_dup3,
        libc::SYS_fcntl,
        libc::SYS_ioctl,
        libc::SYS_close,
        libc::SYS_shutdown,
        libc::SYS_connect,
    ];
    let mut places: Vec<(i64, u8)> = of_first.into_iter().map(|call| (call, 0)).collect();
    places.extend([
        (libc::SYS_dup3, 1),
        (libc::SYS_sendfile, 1),
        (libc::SYS_tee, 1),
        (libc::SYS_splice, 2),
        (libc::SYS_copy_file_range, 0),
        (libc::SYS_copy_file_range, 2),
    ]);
    #[cfg(target_arch = "x86_64")]
    places.extend([(libc::SYS_dup2, 0), (libc::SYS_dup2, 1)]);
    for (call, argument) in places {
        let is_socket = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, socket).ok()?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![is_socket]).ok()?);
    }
    rules.insert(libc::SYS_close_range, Vec::new());
    fence(rules, libc::EPERM)
}
