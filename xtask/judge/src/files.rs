//! Writing files so that a reader of them, a second run or a full disk never sees half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Replaces `path` with `content` in one step: written beside it, made durable, then renamed over it. When anything fails
/// before the rename, what was there is still there.
///
/// # Errors
/// The disk is full or the folder cannot be written to; the path is part of the message.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let beside = folder.join(format!(".writing-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = File::options().write(true).create_new(true).open(&beside)?;
        file.write_all(content)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_data()?;
        drop(file);
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&beside);
        io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
    })
}

/// Tells the temporary files of one process apart.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Writes `content` unless it is there already, so that cargo does not build what did not change.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_if_changed(path: &Path, content: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    write_atomically(path, content).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("deep/file");
        write_atomically(&path, b"one").expect("writes");
        write_atomically(&path, b"two").expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), b"two");
        assert_eq!(fs::read_dir(dir.path().join("deep")).expect("lists").count(), 1);
    }

    #[test]
    fn what_was_there_survives_a_failure_and_the_path_is_named() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::write(dir.path().join("file"), "kept").expect("writes");
        let path = dir.path().join("file/below");
        let error = write_atomically(&path, b"lost").expect_err("a file is no folder");
        assert!(error.to_string().contains("file/below"), "{error}");
        assert_eq!(fs::read(dir.path().join("file")).expect("reads"), b"kept");
    }

    #[test]
    fn the_same_content_is_not_written_again() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("file");
        assert!(write_if_changed(&path, b"one").expect("writes"));
        assert!(!write_if_changed(&path, b"one").expect("reads"));
    }
}
