//! As whom a private server runs: as whoever runs the test, but never as root, which PostgreSQL refuses.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::{env, fs};

use uuid::Uuid;

use super::error::TestDatabaseError;

/// Users that a server may run as when the test runs as root, the best first.
const INSTEAD_OF_ROOT: [&str; 2] = ["postgres", "nobody"];

/// The longest path of a Unix socket, on the system with the least room, is 104 bytes with its end.
const LONGEST_SOCKET: usize = 103;

/// As whom a server runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Runs {
    /// As whoever runs the test.
    Likewise,
    /// As another user of this machine.
    As(Account),
}

/// A user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Makes a folder that only the server's user can enter, and tells who that is.
///
/// It is in the system's temporary folder, if its name leaves room for a socket's and the server's user can come there;
/// else in `/tmp`.
pub(super) fn make_folder(socket: &str) -> Result<(PathBuf, Runs), TestDatabaseError> {
    let name = format!("annals-{}", Uuid::now_v7().simple());
    let folder = env::temp_dir().join(&name);
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

fn instead_of_root() -> Result<Account, TestDatabaseError> {
    let users = fs::read_to_string("/etc/passwd")
        .map_err(|error| TestDatabaseError::caused("failed to read /etc/passwd", error))?;
    first_of(&INSTEAD_OF_ROOT, &users).ok_or_else(|| {
        TestDatabaseError::new(
            "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` that it could run as: \
             make one, run the tests as another user, or set DATABASE_URL",
        )
    })
}

/// Finds the first of these users that is there and not root, in the lines of `/etc/passwd`.
fn first_of(names: &[&str], users: &str) -> Option<Account> {
    names.iter().find_map(|wanted| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let user = fields.nth(1)?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            (name == *wanted && user != 0).then_some(Account { user, group })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_never_taken() {
        let check = |users, expected: Option<(u32, u32)>| {
            let expected = expected.map(|(user, group)| Account { user, group });
            assert_eq!(first_of(&INSTEAD_OF_ROOT, users), expected, "{users}");
        };
        check("root:x:0:0:root:/root:/bin/sh\n", None);
        check(
            "postgres:x:0:0::/:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n",
            Some((65534, 65533)),
        );
        check("nobody:x:99:98::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n", Some((101, 104)));
        check("postgres:x:one:104::/:/bin/sh\n", None);
    }
}
