use annals::AggregateId;

#[derive(Debug, AggregateId)]
struct AccountId(String);

fn main() {}
