"""What one table is about, and how an engine is set up for a piece of work."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arrangement:
    """How an engine is set up for a piece of work."""

    variant: str = ""  # the name of the options that are its own
    processes: int = 1
    threads: int = 1  # of each process
    environment: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)

    @property
    def batch(self):
        """Windows that are continued together."""
        return self.options.get("batch", 1)

    @property
    def workers(self):
        """Batches that a process works on at the same time."""
        return self.options.get("workers", 1)

    @property
    def together(self):
        """The fewest windows that give everyone something to do."""
        return self.processes * self.workers * self.batch

    @property
    def name(self):
        """The arrangement in words."""
        crews = [(self.processes, "processes"), (self.workers, "workers")]
        crew = [f"{count} {what} of" for count, what in crews if count > 1]
        threads = " ".join([*crew, f"{self.threads} thread{'s' if self.threads > 1 else ''}"])
        batch = f"{self.batch} windows together" if self.batch > 1 else ""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ", ".join(part for part in (threads, batch, self.variant, *variables) if part)


@dataclass(frozen=True)
class Setting:
    """What one table is about."""

    folder: str
    size: str
    precision: str
    cores: tuple
    windows: int  # of the long sound
    limit: float  # seconds for one piece of work

    @property
    def threads(self):
        return len(self.cores)

    @property
    def name(self):
        """For its files."""
        return f"{self.size}-{self.precision}-{self.threads}"
