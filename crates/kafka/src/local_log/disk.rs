//! What the log needs of a file system, and the lock of its directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A file that is being written.
pub trait Sink: Write + Send {
    /// Waits until everything written is on the disk.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file system. Paths are given whole.
pub trait Disk: Send + Sync {
    /// Names of the files in a folder; none if there is no such folder.
    ///
    /// # Errors
    /// As the system says; so for all of these.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// As the system says.
    fn make(&self, folder: &Path) -> io::Result<()>;
    /// Opens a file to read it from its start.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// Makes a new, empty file.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, file: &Path) -> io::Result<Box<dyn Sink>>;
    /// Cuts a file.
    ///
    /// # Errors
    /// As the system says.
    fn cut(&self, file: &Path, length: u64) -> io::Result<()>;
    /// Gives a file its final name, so that a crash leaves one of the two.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Folder;

impl Disk for Folder {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(file)?))
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(File::create(file)?))
    }

    fn cut(&self, file: &Path, length: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(file)?.set_len(length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        // The new name must be on the disk before the files it replaces are removed.
        to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        std::fs::remove_file(file)
    }
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("another process uses the state directory {}: give each process one of its own (state.directory)", .0.display())]
    Held(PathBuf),
    /// It cannot be made or written.
    #[error("cannot use the state directory {}: {source}", .directory.display())]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Keeps other processes out of a directory for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the directory and locks it.
    ///
    /// # Errors
    /// If another process holds it, or it cannot be written.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { directory: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(unusable)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(directory.to_owned())),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}
