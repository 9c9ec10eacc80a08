//! Fingerprints tell shapes apart, and nothing else.

use annals::shape::Shape;
use serde::Deserialize;

mod before {
    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub struct State {
        pub units: u64,
        pub place: Place,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub struct Place {
        pub name: String,
    }
}

mod after {
    use super::*;

    /// The same under other names of types, in another order.
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub struct Renamed {
        pub place: Site,
        pub units: u64,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub struct Site {
        pub name: String,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub struct Changed {
        pub place: Site,
        pub units: i64,
    }
}

#[test]
fn only_what_is_stored_counts() {
    let before = Shape::of::<before::State>();
    assert_eq!(before.fingerprint(), Shape::of::<after::Renamed>().fingerprint());
    assert_ne!(before.fingerprint(), Shape::of::<after::Changed>().fingerprint());
}

#[test]
fn they_do_not_change_between_builds() {
    assert_eq!(Shape::of::<before::State>().fingerprint().as_str(), "e04397bf02b0182a");
}
