#pragma once

#include <string>

// Which names folders and datasets of an archive may have.

namespace curlew::collector {

// Of a group's or a scenario's folder. Empty: it may be one; else why not, as in "it is empty".
std::string archive_name_problem(const std::string& name);

// Of a dataset: no file that stands beside another dataset has such a name either.
std::string dataset_name_problem(const std::string& name);

}  // namespace curlew::collector
