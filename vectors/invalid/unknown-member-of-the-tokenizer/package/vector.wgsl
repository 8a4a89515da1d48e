// no kernels in this edition
