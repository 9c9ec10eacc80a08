//! As whom a private server runs: as whoever runs the test, but never as root, which PostgreSQL refuses.

use std::fs;

use super::error::TestDatabaseError;

/// Users that a server may run as when the test runs as root, the best first.
const INSTEAD_OF_ROOT: [&str; 2] = ["postgres", "nobody"];

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

/// Finds another user to run as than root.
pub(super) fn instead_of_root() -> Result<Account, TestDatabaseError> {
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
