#include "attune/dataset.h"
namespace { struct Columns { explicit Columns(attune::Value) {} void map(attune::Value r, const attune::SampleSink& emit) const {
 attune::SampleBuilder b; b.add({{{"user", std::string(r["a"].text())}}}); emit(b);} }; }
ATTUNE_DATASET(f, "columns", Columns);
ATTUNE_PLUGIN(&f)
