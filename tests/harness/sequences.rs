//! Arbitrary sequences of commands against an invariant.

use annals_testing::sequences;

use crate::failure::failure_of;
use crate::shop::*;

fn stock() -> annals_testing::Sequences<Stock> {
    sequences::<Stock>()
        .of(0..5_u32, |quantity| Restock { product: "p".into(), quantity })
        .of(0..5_u32, |quantity| ReserveStock { product: "p".into(), order: "o".into(), quantity })
}

#[test]
fn an_invariant_that_holds() {
    stock().keep(|stock| assert!(stock.available <= 30 * 4));
}

#[test]
fn an_invariant_that_breaks_is_told_by_the_shortest_sequence() {
    let restock = |_| Restock { product: "p".into(), quantity: 4 };
    let reserve = |quantity| ReserveStock { product: "p".into(), order: "o".into(), quantity };
    let failure = failure_of(|| {
        sequences::<Stock>()
            .of(0..9_u32, restock)
            .of(0..5_u32, reserve)
            .keep(|stock| assert!(stock.available < 7, "too much in stock"));
    });
    let message = failure.message;
    assert!(message.starts_with("a sequence of commands breaks the invariant"), "{message}");
    assert!(message.contains("too much in stock"), "{message}");
    assert_eq!(message.matches("Restock {").count(), 2, "{message}");
    assert_eq!(message.matches("ReserveStock {").count(), 0, "{message}");
}

#[test]
fn sequences_run_over_several_aggregates() {
    sequences::<Stock>()
        .of(0..3_u32, |product| Restock {
            product: product.to_string().as_str().into(),
            quantity: 1,
        })
        .length(10..20)
        .cases(20)
        .keep(|stock| assert!(stock.available <= 20));
}

#[test]
fn a_test_of_nothing_is_refused() {
    let failure = failure_of(|| sequences::<Stock>().keep(|_| {}));
    assert_eq!(failure.message, "add commands by `.of(…)` before `.keep(…)`");
}
