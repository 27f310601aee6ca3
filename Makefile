# Two commands carry the course: `make lab` and `make test`. `make help` lists the others.
# PYTHON=python3.12  the Python that makes .venv
# TORCH=cpu          take PyTorch from its own index of that name (cpu, cu126, ...) and not from PyPI
# CHAPTER="01 03"    these chapters only, for chapters, slides, student and times; one for present
# REPOSITORY=https://github.com/ME/COURSE     the public address, for `make book`'s buttons
# ARGS="..."         more words for JupyterLab, for example ARGS=--no-browser

PYTHON ?= python3
BIN := .venv/bin
LAB := .venv/installed-lab
TEST := .venv/installed-test
PINNED := --require-hashes --no-deps --only-binary :all: --requirement
PYTHONS := vaecourse tests tools benchmarks site .github
TEXTS := $(PYTHONS) chapters docs README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md CODE_OF_CONDUCT.md CITATION.cff
TEXTS += LICENSE-CONTENT Makefile book.yml pyproject.toml .devcontainer Dockerfile
# What actionlint looks for, and more, from a wheel with a hash: actionlint's own packages fetch a program while they are installed.
ACTIONLINT := $(BIN)/jactionlint --no-hints --strict-exit .github/workflows/*.yml .github/dependabot.yml
# deno, from a wheel too, lays out, lints and types the JavaScript; tests/javascript is run with the other tests.
JAVASCRIPT := $(BIN)/python -m tools.javascript
TWO_WORKERS := --numprocesses 2 --dist loadscope
# In the order of the files, for what takes longest must not be begun last.
IN_ORDER := --no-loadscope-reorder
NOTEBOOKS := $(sort $(wildcard chapters/*.ipynb))
LONG := $(filter chapters/03-% chapters/04-% chapters/05-% chapters/06-% chapters/07-% chapters/08-%,$(NOTEBOOKS))

# A worker, or a kernel, counts with one thread: two of them fill two cores. And what hundreds of processes import is
# compiled once, also where Python is told to keep no compiled files: each would take a second or two more.
one_thread := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
# $(call phase,name,command) runs the command and says how long it took.
phase = @echo; echo "== $(1)"; start=$$(date +%s); $(2) && echo "== $(1): $$(($$(date +%s) - start)) s"

.NOTPARALLEL:
.PHONY: help lab teach test lint types unit check execute browser chapters book slides present student times format new-lab new-exercise new-chapter bench bench-browser gpu mutants screens links pins lowest newest wheel clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## / ## /' | awk -F ' ## ' '{printf "make %-13s %s\n", $$1, $$2}'

lab: $(LAB)  ## install if needed, then open chapter 00 to work in, in JupyterLab: learn/ has the chapters without solutions
	$(BIN)/python -m tools.lab $(AS_ROOT) $(ARGS)

teach: $(LAB)  ## the same for those who teach: the whole chapters, with solutions, teaching notes and stored outputs
	$(BIN)/python -m tools.lab $(AS_ROOT) $(ARGS) chapters/00-start-here.ipynb

test: lint types unit check execute browser  ## everything that CI runs; the six parts below can be run alone

lint: $(TEST)  ## style, layout and spelling of every Python file, the same and types of the JavaScript, the workflows
	$(call phase,lint,$(BIN)/ruff check $(PYTHONS) chapters && $(BIN)/ruff format --check $(PYTHONS) && $(BIN)/codespell $(TEXTS) && $(ACTIONLINT) && $(JAVASCRIPT))

types: $(TEST)  ## type hints of the package
	$(call phase,types,$(BIN)/mypy --num-workers 2)

unit: $(TEST)  ## unit and statistical tests, labs, the tools themselves
	$(call phase,unit,$(one_thread) $(BIN)/pytest $(TWO_WORKERS) $(IN_ORDER) -rs --durations 10 --ignore tests/browser tests)

check: $(TEST)  ## rules of the chapters: pairs agree, outputs stored, pictures described; nothing is run
	$(call phase,check,$(BIN)/python -m tools.notebooks check)

execute: $(TEST)  ## run every chapter with nbval and compare with the stored outputs
	$(call phase,execute,$(one_thread) TQDM_DISABLE=1 $(BIN)/pytest $(TWO_WORKERS) $(IN_ORDER) --durations 10 --nbval $(LONG) $(filter-out $(LONG),$(NOTEBOOKS)))

browser: $(TEST)  ## JupyterLab in a real browser
	$(call phase,browser,$(one_thread) $(BIN)/pytest $(TWO_WORKERS) $(IN_ORDER) -rs --durations 10 tests/browser)

chapters: $(TEST)  ## run the chapters and store their outputs in the .ipynb; CHAPTER=01 for one
	$(BIN)/python -m tools.notebooks refresh $(CHAPTER)

book: $(TEST)  ## the site into build/site, from the stored outputs, a warning is an error; REPOSITORY=https://... adds buttons
	$(call phase,book,$(BIN)/python -m tools.site $(if $(REPOSITORY),--repository $(REPOSITORY)))

slides: $(TEST)  ## a deck for each chapter into build/slides; CHAPTER=01 for one
	$(BIN)/python -m tools.slides $(CHAPTER)

present: $(TEST)  ## the live labs of one chapter, full screen: make present CHAPTER=03
	$(BIN)/python -m tools.present $(CHAPTER) $(ARGS)

update: $(LAB)  ## take the newest version of the course with git, and keep your answers
	$(BIN)/python -m tools.answers update $(ARGS)

student: $(TEST)  ## the class's notebooks, without solutions and teaching notes, into build/student; CHAPTER=01 for one
	$(BIN)/python -m tools.student $(CHAPTER)

times: $(TEST)  ## seconds and memory of each chapter from a fresh kernel
	$(BIN)/python -m tools.notebooks times $(CHAPTER)

format: $(TEST)  ## lay out Python and JavaScript as `make lint` wants them
	$(BIN)/python -m tools.layout $(PYTHONS) chapters

new-lab: $(TEST)  ## the files of a new lab: NAME=02.weights, and CLASS=WeightCurve names its class and file
	@$(BIN)/python -m tools.scaffold lab "$(NAME)" $(if $(CLASS),--class "$(CLASS)")

new-exercise: $(TEST)  ## the file and the cells of a new exercise: NAME=03.my_bound
	@$(BIN)/python -m tools.scaffold exercise "$(NAME)"

new-chapter: $(TEST)  ## the files of a new chapter: NAME=09-flows TITLE="Normalising flows" EXERCISES="four names or more"
	@$(BIN)/python -m tools.scaffold chapter "$(NAME)" --title "$(TITLE)" $(if $(EXERCISES),--exercises "$(EXERCISES)")

bench: $(TEST)  ## the measurements behind the performance figures
	for name in step scaling seeds memory labs live divergences hierarchical digits; do $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-browser: book  ## the measurements that need Chromium: live labs of the site, ten minutes of lecture
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.lecture

gpu:  ## CUDA tests, step table and MNIST on one NVIDIA GPU, in 8 minutes; ARGS=--rehearse tries it on the CPU
	$(if $(wildcard $(BIN)/python),$(BIN)/python,"$(PYTHON)") -m benchmarks.gpu $(ARGS)

check-answers: $(TEST)  ## how the checks judge some 900 answers, most of them of people who had not read them; ARGS=--all prints each
	$(BIN)/python -m tests.checks.answers $(ARGS)

mutants: $(TEST)  ## plant bugs in the package and see whether the tests notice, which takes hours; MODULES="bounds exact"
	$(BIN)/python -m tools.mutants $(MODULES)

screens: $(TEST)  ## pictures of every lab, light and dark, for looking at
	$(BIN)/python -m tools.screenshots

links: $(TEST)  ## ask for every page of the web that the texts link to and print the dead ones; not in `make test`: it needs a network
	$(BIN)/python -m tools.links $(ARGS)

pins: | .venv/bin/pip  ## pin all that is installed anew, for every platform and Python; ARGS=--upgrade takes the newest versions
	@$(GET_UV)
	$(BIN)/python -m tools.pins $(ARGS)

lowest:  ## tests, labs and doctor with the lowest versions that pyproject.toml admits, beside .venv; ARGS="-x tests/labs" for some
	$(call extreme,lowest)

newest:  ## the same with the newest versions
	$(call extreme,newest)

extreme = "$(PYTHON)" -m tools.extremes $(1) $(if $(TORCH),--torch $(TORCH)) $(ARGS)

wheel: $(TEST)  ## sdist and wheel into dist/, looked at as PyPI will
	$(UV_AS_PIP) $(BIN)/uv build --build-constraints pins/lab.txt --require-hashes
	@twine=$$(mktemp -d) && $(BIN)/uv venv --quiet $$twine && \
		$(UV_AS_PIP) $(BIN)/uv pip install --quiet --python $$twine/bin/python $(PINNED) .github/twine.txt && \
		$$twine/bin/python -m twine check --strict dist/*; ended=$$?; rm -rf $$twine; exit $$ended

clean:  ## remove .venv and what else the commands here made; what is not known as made here stays, or goes into kept/
	"$(PYTHON)" -m tools.clean

# JupyterLab refuses to start as root, which is who you are in many containers.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Two at once would install over each other, so whoever comes second waits, and then looks again what is left to do.
# The inner make does the work; if it fails, tools/bootstrap.py says why in a last sentence.
ifndef INSTALLING

.venv/bin/pip:
	$(alone)

$(LAB): pyproject.toml pins/lab.txt | .venv/bin/pip
	$(alone)

$(TEST): pyproject.toml pins/test.txt | .venv/bin/pip
	$(alone)

# What there is of Pythons will do for that, once .venv has the right one.
define alone
	@python="$(PYTHON)"; if test -x $(BIN)/python; then command -v "$$python" >/dev/null || python=python3; else $(is_new); fi; \
		"$$python" tools/bootstrap.py $(MAKE) --no-print-directory INSTALLING=1 $@
endef

is_new = command -v "$$python" >/dev/null || { \
	echo "There is no Python called $$python here. Install 3.11 or newer, or name yours: make lab PYTHON=python3.12"; exit 1; }; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "vaecourse needs Python 3.11 or newer; name one: make lab PYTHON=python3.12"; exit 1; }

else

.venv/bin/python:
	@echo "Making .venv with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv .venv || { rm -f $@; exit 1; }

# Left without pip, it was stopped while it was made: make it again.
.venv/bin/pip: | .venv/bin/python
	@test -e $@ || $(BIN)/python -m venv .venv

# A stamp is newer than what it was installed from, so a second call has nothing to do.
$(LAB): pyproject.toml pins/lab.txt | .venv/bin/pip
	$(call install_course,lab)
	@touch $(LAB)

$(TEST): pyproject.toml pins/test.txt | .venv/bin/pip
	$(call install_course,test)
	@touch $(LAB) $(TEST)

endif

define install_course
	@echo "Installing the course into .venv, from pins/$(1).txt (1.6 GB with PyTorch for CPUs, one to three minutes)"
	@$(BIN)/python -m tools.unfinished
	@$(GET_UV)
	@$(OTHER_TORCH)
	@$(call install,$(PINNED) pins/$(1).txt)
	@$(CUDA)
	@$(call install,--no-deps --no-build-isolation --editable .)
endef

# uv does in seconds what takes pip a minute. Where it cannot be had, or fails, pip installs the same pins.
GET_UV = test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet $(PINNED) pins/uv.txt || echo "No uv: pip does it all."
install = echo "pip install $(1)"; { test -x $(BIN)/uv && $(UV_AS_PIP) $(BIN)/uv pip install --python $(BIN)/python $(1); } || \
	$(BIN)/python -m pip install $(1)

# uv does not read pip's settings, so it is told where pip looks: a mirror of PyPI, a folder of wheels.
# The shell asks, not make: an address may hold a password, and everybody can read what stands on a command line.
# Nor uv's own settings, which may name another folder to install into.
UV_AS_PIP = UV_NO_CONFIG=1 UV_INDEX_URL="$${UV_INDEX_URL:-$$($(call ask_pip,index-url))}" UV_FIND_LINKS="$$($(call ask_pip,find-links))"
ask_pip = $(BIN)/python -m pip config list 2>/dev/null | sed -n "s/^[^=]*[.]$(1)='\(.*\)'/\1/p" | head -n 1

# What comes before the pins stays: they ask for a version of PyTorch, and every build of it will do.
# An index of PyTorch's own gives the pinned version, but no hashes; a wheel in pip's folder of wheels has its hash here.
OTHER_TORCH = $(if $(TORCH),$(call install,$(THIS_TORCH)),$(if $(CPU_WHEEL),$(call install,$(PINNED) pins/torch-cpu.txt)))
THIS_TORCH = --no-deps --index-url https://download.pytorch.org/whl/$(TORCH) --constraint constraints.txt torch
CPU_WHEEL = $(wildcard $(shell $(call ask_pip,find-links))/torch-*+cpu-*.whl)

# A PyTorch for NVIDIA's GPUs asks for CUDA's libraries, no other build does. The pins have those of PyPI's PyTorch.
CUDA = if grep -qs '^Requires-Dist: nvidia' .venv/lib/python*/site-packages/torch-*/METADATA; then \
	$(call install,$(if $(TORCH),--constraint constraints.txt torch,$(PINNED) pins/cuda.txt)); fi
