#include <gtest/gtest.h>
#include "support/plugin_under_test.h"
using namespace attune::testing;
TEST(Columns, X) { PluginUnderTest<attune_dataset> p("columns","dataset/1","columns"); EXPECT_EQ(p->size, ATTUNE_END(attune_dataset,map)); }
