//! The folder in which a private server keeps what it has.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use uuid::Uuid;

use super::account::{Runs, instead_of_root};
use super::error::TestDatabaseError;

/// The longest path of a Unix socket, on the system with the least room, is 104 bytes with its end.
const LONGEST_SOCKET: usize = 103;

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// How much memory must be free for that, in kibibytes. Containers have 64 MiB unless told otherwise.
const PLENTY: u64 = 4 * 1024 * 1024;

/// Makes a folder that only the server's user can enter, and tells who that is.
///
/// It is in the folder that `TMPDIR` names; without it, in memory if there is plenty, which saves most of a test's time,
/// else in the system's temporary folder. Where that leaves no room for a socket's name, or the server's user cannot come,
/// it is in `/tmp`.
pub(super) fn make_folder(socket: &str) -> Result<(PathBuf, Runs), TestDatabaseError> {
    let name = format!("annals-{}", Uuid::now_v7().simple());
    let in_memory = env::var_os("TMPDIR").is_none() && free(Path::new(MEMORY)) >= Some(PLENTY);
    let folder = if in_memory { Path::new(MEMORY).into() } else { env::temp_dir() }.join(&name);
    if folder.join(socket).as_os_str().len() <= LONGEST_SOCKET
        && let Some(runs) = make(&folder)?
    {
        return Ok((folder, runs));
    }
    let folder = Path::new("/tmp").join(name);
    match make(&folder)? {
        Some(runs) => Ok((folder, runs)),
        None => Err(TestDatabaseError::new("not every user can write to /tmp")),
    }
}

/// How much room there is where a folder is, in kibibytes; `None` if that cannot be told.
fn free(folder: &Path) -> Option<u64> {
    let told = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    free_of(std::str::from_utf8(&told.stdout).ok()?)
}

/// Reads the fourth column of the second line, as POSIX lays down what `df -P` prints.
fn free_of(table: &str) -> Option<u64> {
    table.lines().nth(1)?.split_ascii_whitespace().nth(3)?.parse().ok()
}

/// Makes a folder; `None` if it would be root's, in a place where no other user can come.
fn make(folder: &Path) -> Result<Option<Runs>, TestDatabaseError> {
    let failed = |error| {
        TestDatabaseError::caused(format!("failed to make the folder {}", folder.display()), error)
    };
    fs::DirBuilder::new().mode(0o700).create(folder).map_err(failed)?;
    // The folder's owner is the user in whose name this process acts.
    if fs::metadata(folder).map_err(failed)?.uid() != 0 {
        return Ok(Some(Runs::Likewise));
    }
    let account = instead_of_root()?;
    let given = is_open(folder)
        .then(|| chown(folder, Some(account.user), Some(account.group)).map(|()| account))
        .transpose();
    if !matches!(given, Ok(Some(_))) {
        _ = fs::remove_dir(folder);
    }
    given.map(|given| given.map(Runs::As)).map_err(failed)
}

/// Whether another user can come to a folder, and remove it at the end.
fn is_open(folder: &Path) -> bool {
    let lets = |folder: &Path, bits| {
        fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & bits == bits)
    };
    let mut above = folder.ancestors().skip(1);
    above.next().is_some_and(|parent| lets(parent, 0o003)) && above.all(|above| lets(above, 0o001))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_read_from_the_table() {
        let table = "Filesystem     1024-blocks  Used Available Capacity Mounted on\n\
                     tmpfs             24637440 13752  24623688       1% /dev/shm\n";
        assert_eq!(free_of(table), Some(24_623_688));
        assert_eq!(free_of(""), None);
        assert_eq!(free_of("df: /dev/shm: No such file or directory\n"), None);
    }
}
