// SPDX-License-Identifier: Apache-2.0
//! accuracy is 1 where the answer contains the label `answer`.
mod attune;

use attune::{create_evaluator, Evaluator, RawSample, Result, Value};

struct @Name@ {
    max_tokens: i64,
}

impl Evaluator for @Name@ {
    fn new(options: &Value) -> Result<Self> {
        Ok(Self { max_tokens: options.integer("max_tokens")? })
    }

    fn max_tokens(&self) -> i64 {
        self.max_tokens
    }

    fn score(&self, sample: &RawSample, answer: &str) -> Result<Vec<(&'static str, f64)>> {
        let right = answer.contains(&sample.label("answer")?);
        Ok(vec![("accuracy", if right { 1.0 } else { 0.0 })])
    }
}

plugin!("evaluator/1", "@name@", create_evaluator::<@Name@>);
