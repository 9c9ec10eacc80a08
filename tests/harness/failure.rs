//! What a failing test says, and at which line.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// A panic as a person would see it.
#[derive(Debug, Clone)]
pub struct Failure {
    pub message: String,
    pub file: String,
    pub line: u32,
}

/// Runs a test that has to fail, and gives what it said.
pub fn failure_of(test: impl FnOnce()) -> Failure {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let location = panic.location().expect("panics have a location");
            let failure = Failure {
                message: panic.payload_as_str().unwrap_or_default().to_owned(),
                file: location.file().to_owned(),
                line: location.line(),
            };
            LAST.with_borrow_mut(|last| *last = Some(failure));
            default(panic);
        }));
    });
    assert!(panic::catch_unwind(AssertUnwindSafe(test)).is_err(), "the test should have failed");
    LAST.with_borrow_mut(Option::take).expect("the hook has seen the panic")
}
