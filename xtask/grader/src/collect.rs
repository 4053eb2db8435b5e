//! Where submissions are: a folder of checkouts, bare repositories and archives, or a table of names and paths.
//!
//! Nothing is unpacked to disk. An archive is read as a stream and only what could be graded is kept, within bounds on what is
//! decompressed. A bare repository's configuration is its owner's and can name programs to run, so git reads it in a box.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::vet::{FILE, is_candidate};

/// What one student handed in, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The student's name: the folder's or the archive's, or the table's first column.
    pub student: String,
    /// A checkout, a bare repository or an archive.
    pub place: PathBuf,
    /// When it was handed in, where a table says so. A file's own time proves nothing.
    pub submitted: Option<String>,
}

/// A submission, opened.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A checkout: files are read where they lie.
    Folder(PathBuf),
    /// The files of an archive or a commit that could be graded.
    Files(BTreeMap<String, Found>),
    /// Neither, and why.
    Unreadable(String),
}

/// What an archive has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A regular file's content, cut one byte after the largest size that is taken.
    File(Vec<u8>),
    /// A link, a pipe, a device.
    Other,
}

/// The most that is read out of one archive, unpacked.
const UNPACKED: u64 = 256 << 20;
/// The most entries of an archive that are looked at.
const ENTRIES: usize = 100_000;
/// The most that is kept of one archive.
const KEPT: usize = 32 << 20;

/// The submissions in the folder or the table at `path`, by student.
///
/// # Errors
/// It cannot be read, it has none, or two have the same name.
pub fn submissions(path: &Path) -> Result<Vec<Submission>> {
    let metadata = fs::metadata(path).with_context(|| format!("there is no {}", path.display()))?;
    let mut found = if metadata.is_dir() { of_folder(path)? } else { of_table(path)? };
    found.sort_by(|left, right| left.student.cmp(&right.student));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].student == pair[1].student) {
        let [one, other] = [&pair[0].place, &pair[1].place].map(|place| place.display().to_string());
        bail!("two submissions are of {}: {one} and {other}", pair[0].student);
    }
    if found.is_empty() {
        bail!("{} has no submission: checkouts, bare repositories, .tar, .tar.gz, .tgz or .zip", path.display());
    }
    Ok(found)
}

fn of_folder(folder: &Path) -> Result<Vec<Submission>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A link is somebody else's folder.
        let kind = entry.file_type()?;
        let student = match Kind::of_name(&name) {
            _ if name.starts_with('.') => continue,
            Some((student, _)) if kind.is_file() => student,
            _ if kind.is_dir() => name.strip_suffix(".git").unwrap_or(&name),
            _ => continue,
        };
        found.push(Submission { student: student.to_owned(), place: entry.path(), submitted: None });
    }
    Ok(found)
}

/// A line a student: name, path, and perhaps when it was handed in. Paths begin where the table lies.
fn of_table(file: &Path) -> Result<Vec<Submission>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {} as a table", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let cells = cells(line);
        let (student, path) = match cells.as_slice() {
            [] => continue,
            [student, path, ..] if !student.is_empty() && !path.is_empty() => (student, path),
            _ => bail!("{}, line {}: a line is NAME,PATH or NAME,PATH,TIME", file.display(), number + 1),
        };
        let place = folder.join(path);
        if number == 0 && !place.exists() {
            continue; // the headings
        }
        let submitted = cells.get(2).filter(|time| !time.is_empty()).cloned();
        found.push(Submission { student: student.clone(), place, submitted });
    }
    Ok(found)
}

/// The cells of a line of comma-separated values. A cell may be quoted; a line break in one is not understood.
fn cells(line: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = line.trim();
    if rest.is_empty() {
        return cells;
    }
    loop {
        let mut cell = String::new();
        rest = rest.trim_start();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            while let Some((part, after)) = quoted.split_once('"') {
                cell.push_str(part);
                quoted = after;
                match quoted.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        quoted = more;
                    }
                    None => break,
                }
            }
            rest = quoted.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            cell.push_str(rest[..end].trim_end());
            rest = &rest[end..];
        }
        cells.push(cell);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return cells,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Tar,
    TarGz,
    Zip,
}

impl Kind {
    fn of_name(name: &str) -> Option<(&str, Self)> {
        let kinds = [(".tar", Self::Tar), (".tar.gz", Self::TarGz), (".tgz", Self::TarGz), (".zip", Self::Zip)];
        kinds.into_iter().find_map(|(ending, kind)| Some((name.strip_suffix(ending)?, kind)))
    }
}

impl Submission {
    /// Opens it. What cannot be read is the student's, not a fault of this machine: it is said and graded as missing.
    #[must_use]
    pub fn open(&self) -> Tree {
        let unreadable = |error: anyhow::Error| Tree::Unreadable(format!("it cannot be read: {error:#}"));
        let name = self.place.file_name().unwrap_or_default().to_string_lossy();
        if let (Some((_, kind)), true) = (Kind::of_name(&name), self.place.is_file()) {
            let files = File::open(&self.place).and_then(|file| match kind {
                Kind::Tar => of_tar(file),
                Kind::TarGz => of_tar(flate2::read::MultiGzDecoder::new(file)),
                Kind::Zip => of_zip(file),
            });
            return files.map_or_else(|error| unreadable(error.into()), Tree::Files);
        }
        if is_bare_repository(&self.place) {
            return of_repository(&self.place).map_or_else(unreadable, Tree::Files);
        }
        match checkout(&self.place) {
            Some(root) => Tree::Folder(root),
            None => Tree::Unreadable("there is no folder `exercises` in it".to_owned()),
        }
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn is_bare_repository(folder: &Path) -> bool {
    !is_folder(&folder.join("exercises")) && folder.join("HEAD").is_file() && is_folder(&folder.join("objects"))
}

/// The folder with `exercises`: the one named, or the only folder in it, as when a platform unpacked an archive.
fn checkout(folder: &Path) -> Option<PathBuf> {
    if is_folder(&folder.join("exercises")) {
        return Some(folder.to_owned());
    }
    let entries = fs::read_dir(folder).ok()?.take(1000).flatten().map(|entry| entry.path());
    let mut inside = entries.filter(|path| is_folder(path) && is_folder(&path.join("exercises")));
    inside.next().filter(|_| inside.next().is_none())
}

/// `exercises/…` of a path in an archive, which may begin with one folder for all.
fn wanted(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            // Neither is below the archive's root.
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    let from = parts.iter().take(2).position(|part| *part == "exercises")?;
    let path = parts[from..].join("/");
    is_candidate(&path).then_some(path)
}

/// Keeps what could be graded. Of two entries with the same path the first counts.
#[derive(Default)]
struct Kept {
    files: BTreeMap<String, Found>,
    bytes: usize,
    entries: usize,
}

impl Kept {
    fn add(&mut self, path: &Path, is_file: bool, content: impl Read) -> io::Result<()> {
        self.entries += 1;
        if self.entries > ENTRIES {
            return Err(io::Error::other("it has more than 100 000 entries"));
        }
        let Some(path) = wanted(path).filter(|path| !self.files.contains_key(path)) else { return Ok(()) };
        let mut bytes = Vec::new();
        if is_file {
            content.take(FILE + 1).read_to_end(&mut bytes)?;
        }
        self.bytes += bytes.len();
        if self.bytes > KEPT {
            return Err(io::Error::other("its sources have more than 32 MiB"));
        }
        self.files.insert(path, if is_file { Found::File(bytes) } else { Found::Other });
        Ok(())
    }
}

/// An end of the stream before the archive's own is an error, so that what is not looked at is not taken for missing.
fn bounded(stream: impl Read) -> impl Read {
    struct Bounded<R>(R, u64);
    impl<R: Read> Read for Bounded<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.read(buffer)?;
            self.1 = self.1.checked_sub(length as u64).ok_or_else(|| io::Error::other("it unpacks to over 256 MiB"))?;
            Ok(length)
        }
    }
    Bounded(stream, UNPACKED)
}

fn of_tar(stream: impl Read) -> io::Result<BTreeMap<String, Found>> {
    let mut kept = Kept::default();
    for entry in tar::Archive::new(bounded(stream)).entries()? {
        let entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let path = entry.path()?.into_owned();
        kept.add(&path, kind.is_file() || kind.is_contiguous(), entry)?;
    }
    Ok(kept.files)
}

fn of_zip(file: impl Read + Seek) -> io::Result<BTreeMap<String, Found>> {
    let mut kept = Kept::default();
    let mut archive = zip::ZipArchive::new(file).map_err(io::Error::other)?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(io::Error::other)?;
        if entry.is_dir() {
            continue;
        }
        // A name that is not UTF-8 is nobody's source.
        let Ok(path) = entry.name().map(|name| PathBuf::from(&*name)) else { continue };
        let is_file = entry.is_file();
        kept.add(&path, is_file, entry)?;
    }
    Ok(kept.files)
}

/// The commit that `HEAD` names, as git packs it.
#[cfg(target_os = "linux")]
fn of_repository(folder: &Path) -> Result<BTreeMap<String, Found>> {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Stdio;

    use judge::process::{End, Finished};

    use crate::boxes::{Boxes, Kind as Box, Mount, limits_of};

    let out = std::env::temp_dir().join(format!("grader-{}-{}", std::process::id(), crate::next_number()));
    fs::create_dir(&out)?;
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777))?;
    let read = || -> Result<BTreeMap<String, Found>> {
        let mounts = [
            Mount::read(&folder.canonicalize()?, "/box/repository"),
            Mount { from: out.clone(), to: "/box/out".into(), writable: true },
        ];
        // It is owned by somebody else than the box's user, on purpose.
        let line = "-c safe.directory=* --git-dir=/box/repository archive --format=tar --output=/box/out/tree.tar HEAD";
        let arguments: Vec<_> = line.split(' ').chain(["exercises"]).map(Into::into).collect();
        let environment = [("GIT_NO_LAZY_FETCH", "1".into()), ("GIT_CONFIG_NOSYSTEM", "1".into())];
        let git = git().context("git is not installed")?;
        let (mount, limits) = (Mount::same(&git), limits_of(Box::Compile, std::time::Duration::ZERO));
        let all: Vec<Mount> = mounts.into_iter().chain([mount]).collect();
        match Boxes::probe().run(Box::Compile, &all, &git, &arguments, &environment, limits, Stdio::null())? {
            Finished { end: End::Exited(status), .. } if status.success() => {}
            Finished { stderr, .. } => bail!("{}", stderr.lines().next().unwrap_or("git did not end")),
        }
        Ok(of_tar(File::open(out.join("tree.tar"))?)?)
    };
    let files = read();
    let _ = fs::remove_dir_all(&out);
    files
}

/// The program itself, so that a box with other folders than this machine's still has it.
#[cfg(target_os = "linux")]
fn git() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from("/usr/bin")).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("git")).find_map(|file| file.canonicalize().ok())
}

#[cfg(not(target_os = "linux"))]
fn of_repository(_: &Path) -> Result<BTreeMap<String, Found>> {
    bail!("a bare repository is read in a box, and boxes need Linux: clone it")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIB: &str = "exercises/01-a/b/src/lib.rs";

    fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            // `set_path` refuses what an attacker would write.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).expect("appends");
        }
        builder.into_inner().expect("ends")
    }

    fn open(name: &str, content: &[u8]) -> Tree {
        let dir = tempfile::tempdir().expect("temp dir");
        let place = dir.path().join(name);
        fs::write(&place, content).expect("write");
        Submission { student: "a".to_owned(), place, submitted: None }.open()
    }

    #[test]
    fn only_what_could_be_graded_is_kept_of_an_archive() {
        let bytes = tar(&[
            ("ann/exercises/01-a/b/src/lib.rs", "one"),
            ("ann/exercises/01-a/b/src/lib.rs", "two"),
            ("ann/exercises/01-a/b/tests/b.rs", "no"),
            ("../exercises/01-a/b/src/up.rs", "no"),
            ("/exercises/01-a/b/src/root.rs", "no"),
            ("a/b/exercises/01-a/b/src/deep.rs", "no"),
        ]);
        let Tree::Files(files) = open("ann.tar", &bytes) else { panic!("not read") };
        assert_eq!(files, BTreeMap::from([(LIB.to_owned(), Found::File(b"one".to_vec()))]));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut header = tar::Header::new_gnu();
        header.set_path("exercises/01-a/b/src/zeros.rs").expect("short");
        header.set_size(1 << 30);
        header.set_mode(0o644);
        header.set_cksum();
        gz.write_all(header.as_bytes()).expect("writes");
        for _ in 0..300 {
            gz.write_all(&[0; 1 << 20]).expect("writes");
        }
        let bytes = gz.finish().expect("ends");
        assert!(bytes.len() < 4 << 20, "{}", bytes.len());
        let opened = open("bomb.tar.gz", &bytes);
        assert!(matches!(&opened, Tree::Unreadable(why) if why.contains("256 MiB")), "{opened:?}");
    }

    #[test]
    fn a_zip_is_read_and_a_broken_one_is_the_students() {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file(LIB, zip::write::SimpleFileOptions::default()).expect("starts");
        zip.write_all(b"one").expect("writes");
        zip.add_symlink("exercises/01-a/b/src/link.rs", "/etc/passwd", zip::write::SimpleFileOptions::default())
            .expect("adds");
        let bytes = zip.finish().expect("ends").into_inner();
        let Tree::Files(files) = open("ann.zip", &bytes) else { panic!("not read") };
        assert_eq!(files.get(LIB), Some(&Found::File(b"one".to_vec())));
        assert_eq!(files.get("exercises/01-a/b/src/link.rs"), Some(&Found::Other));
        assert!(matches!(open("ann.zip", &bytes[..40]), Tree::Unreadable(_)));
    }

    #[test]
    fn a_table_names_students_places_and_times() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::create_dir_all(dir.path().join("x/exercises")).expect("folders");
        let table = dir.path().join("class.csv");
        fs::write(&table, "student,path,submitted\n\"Bach, J. S.\", x ,2026-12-01T10:00Z\nann,\"x\"\n\n")
            .expect("write");
        let found = submissions(&table).expect("reads");
        let names: Vec<_> = found.iter().map(|one| (one.student.as_str(), one.submitted.as_deref())).collect();
        assert_eq!(names, [("Bach, J. S.", Some("2026-12-01T10:00Z")), ("ann", None)]);
        fs::write(&table, "ann,x\nann,x\n").expect("write");
        assert!(submissions(&table).expect_err("twice").to_string().contains("two submissions are of ann"));
        fs::write(&table, "ann,x\nbob\n").expect("write");
        assert!(submissions(&table).expect_err("half").to_string().contains("line 2"));
    }
}
