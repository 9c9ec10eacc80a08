use annals::prelude::*;

struct Checkout;

async fn run(sagas: SagaRunner) {
    let _ = sagas.run::<Checkout>("o-1", 7).await;
}

fn main() {}
