//! Questions before what cannot be undone.

use std::io::{self, IsTerminal, Write};

use super::app::Fault;
use super::console::{Console, safe};

impl Console {
    /// Asks whether to go on. Without a terminal there is nobody to ask: then `--yes` has to say so.
    pub(super) fn confirm(&self, what: &str) -> Result<(), Fault> {
        if self.says_yes {
            return Ok(());
        }
        let what = safe(what);
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Fault::Usage(format!(
                "this cannot be undone: {what}; add --yes if that is what you want"
            )));
        }
        eprint!("{what}. This cannot be undone. Go on? [y/N] ");
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Fault::Absent("nothing was done".to_owned())),
        }
    }
}
