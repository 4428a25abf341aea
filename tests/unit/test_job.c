/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include "trace/job.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Of variables that are ended by a newline each. */
static struct job read_job(const char *lines, const char *cgroup)
{
	_cleanup_(pieces_freep) struct pieces *environment = NULL;
	struct pf_process_text text = {.is_last = 1, .bytes = strlen(lines)};
	struct job job;

	assert_true(strlen(lines) < sizeof(text.text));
	for (size_t i = 0; lines[i]; i++)
		text.text[i] = lines[i] == '\n' ? '\0' : lines[i];
	assert_int_equal(pieces_new(&environment), 0);
	assert_int_equal(pieces_add(environment, &text), 0);
	job_read(environment, cgroup, &job);
	return job;
}

static void assert_ranks(const struct job *job, int rank, int n_ranks, int local_rank)
{
	assert_int_equal(job->rank, rank);
	assert_int_equal(job->n_ranks, n_ranks);
	assert_int_equal(job->local_rank, local_rank);
}

static void assert_job(const struct job *job, const char *scheduler, const char *id,
		       const char *step)
{
	assert_non_null(job->scheduler);
	assert_string_equal(job->scheduler, scheduler);
	assert_string_equal(job->id, id);
	assert_string_equal(job->step, step);
}

static void a_process_of_no_job_has_none(void **state)
{
	struct job job = read_job("HOME=/root\nPATH=/bin\n", "/user.slice");

	(void)state;
	assert_null(job.scheduler);
	assert_string_equal(job.id, "");
	assert_string_equal(job.step, "");
	assert_string_equal(job.container, "");
	assert_ranks(&job, -1, -1, -1);
	job_read(NULL, NULL, &job);
	assert_null(job.scheduler);
	assert_ranks(&job, -1, -1, -1);
}

/* What Slurm 22.05 sets, taken from tasks of `srun -N2 -n3`, `srun --mpi=pmi2` and `sbatch`. */
#define SLURM_TASK                                                                                 \
	"SLURM_JOB_ID=7\nSLURM_STEP_ID=2\nSLURM_PROCID=2\nSLURM_LOCALID=1\nSLURM_NTASKS=3\n"       \
	"SLURM_STEP_NUM_TASKS=3\nSLURM_STEPID=2\nSLURM_NODEID=0\n"

static void the_task_of_a_slurm_step_has_a_rank(void **state)
{
	struct job job = read_job(SLURM_TASK, "/");

	(void)state;
	assert_job(&job, "slurm", "7", "2");
	assert_ranks(&job, 2, 3, 1);
	job = read_job(SLURM_TASK "PMI_RANK=2\nPMI_SIZE=3\nPMI_JOBID=7.2\nPMI_FD=11\n", "/");
	assert_job(&job, "slurm", "7", "2");
	assert_ranks(&job, 2, 3, 1);
	job = read_job(SLURM_TASK "PMIX_RANK=2\n", "/");
	assert_ranks(&job, 2, 3, 1);
}

static void the_script_of_a_slurm_batch_job_has_no_rank(void **state)
{
	struct job job = read_job("SLURM_JOB_ID=3\nSLURM_PROCID=0\nSLURM_LOCALID=0\n"
				  "SLURM_NTASKS=3\n",
				  "/");

	(void)state;
	assert_job(&job, "slurm", "3", "");
	assert_ranks(&job, -1, -1, -1);
	job = read_job("SLURM_JOB_ID=3\nSLURM_STEP_ID=4294967291\nSLURM_PROCID=0\n", "/");
	assert_job(&job, "slurm", "3", "batch");
	assert_ranks(&job, -1, -1, -1);
}

/* Hydra starts its own server as a step of one task on each node; what that is told, it hands on.
 */
static void a_rank_is_what_the_innermost_launcher_says(void **state)
{
	static const char *const of_server =
		"SLURM_JOB_ID=3\nSLURM_STEP_ID=1\nSLURM_PROCID=0\nSLURM_LOCALID=0\n"
		"SLURM_STEP_NUM_TASKS=1\nPMI_SIZE=2\n";
	char lines[512];
	struct job job;

	(void)state;
	for (int rank = 0; rank < 2; rank++) {
		snprintf(lines, sizeof(lines), "%sPMI_RANK=%d\nMPI_LOCALRANKID=%d\n", of_server,
			 rank, rank);
		job = read_job(lines, "/");
		assert_ranks(&job, rank, 2, rank);
		snprintf(lines, sizeof(lines), "%sPMI_RANK=%d\n", of_server, rank);
		job = read_job(lines, "/");
		assert_ranks(&job, rank, 2, -1);
	}
	/* another one's number on its node is not its own */
	job = read_job(SLURM_TASK "PMI_RANK=0\nPMI_SIZE=3\n", "/");
	assert_ranks(&job, 0, 3, -1);
	job = read_job(SLURM_TASK "OMPI_COMM_WORLD_RANK=5\nOMPI_COMM_WORLD_SIZE=8\n"
				  "OMPI_COMM_WORLD_LOCAL_RANK=4\nPMIX_RANK=5\n",
		       "/");
	assert_ranks(&job, 5, 8, 4);
}

static void each_launcher_tells_ranks_in_its_own_way(void **state)
{
	struct job job;

	(void)state;
	job = read_job("OMPI_COMM_WORLD_RANK=1\nOMPI_COMM_WORLD_SIZE=2\n"
		       "OMPI_COMM_WORLD_LOCAL_RANK=1\nPMIX_RANK=1\n",
		       NULL);
	assert_ranks(&job, 1, 2, 1);
	job = read_job("MV2_COMM_WORLD_RANK=9\nMV2_COMM_WORLD_SIZE=16\n"
		       "MV2_COMM_WORLD_LOCAL_RANK=1\n",
		       NULL);
	assert_ranks(&job, 9, 16, 1);
	job = read_job("PMI_RANK=3\nPMI_SIZE=4\nPMI_LOCAL_RANK=1\n", NULL);
	assert_ranks(&job, 3, 4, 1);
	job = read_job("PALS_RANKID=3\nPALS_LOCAL_RANKID=2\n", NULL);
	assert_ranks(&job, 3, -1, 2);
	job = read_job("JSM_NAMESPACE_RANK=3\nJSM_NAMESPACE_SIZE=6\nJSM_NAMESPACE_LOCAL_RANK=0\n",
		       NULL);
	assert_ranks(&job, 3, 6, 0);
	job = read_job("FLUX_TASK_RANK=1\nFLUX_JOB_SIZE=4\nFLUX_TASK_LOCAL_ID=1\n"
		       "FLUX_JOB_ID=\xc6\x92"
		       "3ETxsR9H\nSLURM_JOB_ID=1\n",
		       NULL);
	assert_ranks(&job, 1, 4, 1);
	assert_job(&job, "flux",
		   "\xc6\x92"
		   "3ETxsR9H",
		   "");
	job = read_job("MPI_LOCALRANKID=1\n", NULL); /* that alone is no rank */
	assert_ranks(&job, -1, -1, -1);
}

static void each_scheduler_names_its_jobs(void **state)
{
	struct job job;

	(void)state;
	job = read_job("PBS_JOBID=1234[5].server\n", NULL);
	assert_job(&job, "pbs", "1234[5].server", "");
	job = read_job("LSB_JOBID=77\nLS_JOBPID=12\n", NULL);
	assert_job(&job, "lsf", "77", "");
	job = read_job("LSB_JOBID=77\nLSB_JOBINDEX=0\n", NULL); /* of no array */
	assert_job(&job, "lsf", "77", "");
	job = read_job("LSB_JOBID=77\nLSB_JOBINDEX=5\n", NULL);
	assert_job(&job, "lsf", "77[5]", "");
	job = read_job("COBALT_JOBID=77\n", NULL);
	assert_job(&job, "cobalt", "77", "");
	job = read_job("SGE_ROOT=/opt/sge\nJOB_ID=77\n", NULL);
	assert_job(&job, "sge", "77", "");
	job = read_job("SGE_ROOT=/opt/sge\nJOB_ID=77\nSGE_TASK_ID=undefined\n", NULL);
	assert_job(&job, "sge", "77", "");
	job = read_job("SGE_ROOT=/opt/sge\nJOB_ID=77\nSGE_TASK_ID=5\n", NULL);
	assert_job(&job, "sge", "77.5", "");
	job = read_job("JOB_ID=77\n", NULL); /* anybody's */
	assert_null(job.scheduler);
}

static void the_cgroup_of_a_slurm_job_counts_more_than_its_environment(void **state)
{
	static const struct {
		const char *cgroup, *id, *step;
	} cases[] = {
		{"/system.slice/n1_slurmstepd.scope/job_1/step_0/user/task_special", "1", "0"},
		{"/system.slice/slurmstepd.scope/job_12/step_batch/user/task_0", "12", "batch"},
		{"/slurm_n1/uid_0/job_6/step_4294967292", "6", "extern"},
		{"/slurm/uid_0/job_6", "6", ""},
		{"/system.slice/slurmd.service", "99", "8"},
		{"/job_5/step_3", "99", "8"},
		{"/slurm/job_x/step_0", "99", "8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct job job = read_job("SLURM_JOB_ID=99\nSLURM_STEP_ID=8\n", cases[i].cgroup);

		assert_job(&job, "slurm", cases[i].id, cases[i].step);
	}
}

static void malformed_values_are_not_there(void **state)
{
	static const char *const ranks[] = {"abc", "",	  "-1",		" 1",
					    "1 ",  "1e9", "0x1",	"99999999999999999999999",
					    "4",   "1.5", "4294967296", "2147483648"};
	char lines[512];
	struct job job;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++) {
		snprintf(lines, sizeof(lines),
			 "OMPI_COMM_WORLD_RANK=%s\nOMPI_COMM_WORLD_SIZE=4\nPMIX_RANK=1\n",
			 ranks[i]);
		job = read_job(lines, NULL);
		assert_ranks(&job, 1, -1, -1); /* the next one counts */
	}
	job = read_job("PMI_RANK=1\nPMI_SIZE=many\nMPI_LOCALRANKID=\n", NULL);
	assert_ranks(&job, 1, -1, -1);
	job = read_job("SLURM_JOB_ID=12; rm -rf\n", NULL);
	assert_null(job.scheduler);
	job = read_job("PBS_JOBID=a\tb\n", NULL);
	assert_null(job.scheduler);
	job = read_job("PBS_JOBID=\n", NULL);
	assert_null(job.scheduler);
	snprintf(lines, sizeof(lines), "PBS_JOBID=%0300d\n", 7);
	job = read_job(lines, NULL);
	assert_null(job.scheduler);
	job = read_job("SLURM_JOB_ID=1\nSLURM_STEP_ID=no\n", NULL);
	assert_job(&job, "slurm", "1", "");
}

static void the_first_of_two_variables_counts(void **state)
{
	struct job job = read_job("PMI_RANK=1\nPMI_RANK=2\n", NULL);

	(void)state;
	assert_ranks(&job, 1, -1, -1);
}

static void containers_are_known_by_their_cgroups(void **state)
{
	static const struct {
		const char *cgroup, *container;
	} cases[] = {
		{"/system.slice/docker-" ID ".scope", ID},
		{"/docker/" ID, ID},
		{"/docker/" ID "/init.scope", ID},
		{"/machine.slice/libpod-" ID ".scope/container", ID},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
		 ID},
		{"/machine.slice/libpod-conmon-" ID ".scope", ""},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b_2.slice/"
		 "cri-containerd-" ID ".scope",
		 ID},
		{"/kubepods/burstable/pod8a8e1c1c-2a8a-4b5e-9f3f-0e7d7c3b8a11/" ID, ID},
		{"/system.slice/kubepods-pod1_2.slice:cri-containerd:" ID, ID},
		{"/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope", ID},
		{"/kubepods.slice/kubepods-pod1.slice/crio-conmon-" ID ".scope", ""},
		{"/kubepods.slice/kubepods-pod1.slice", ""},
		{"/lxc.payload.web/system.slice/nginx.service", "web"},
		{"/lxc.payload/web", "web"},
		{"/lxc/web/ns", "web"},
		{"/lxc.monitor.web", ""},
		{"/lxc", ""},
		{"/system.slice/apptainer-4711.scope", "apptainer-4711"},
		{"/singularity/4711", "4711"},
		{"/system.slice/x" ID ".scope", ""}, /* longer than an id */
		{"/system.slice/docker-0123.scope", ""},
		{".../docker-" ID ".scope", ID},
		{"/", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct job job = read_job("A=1\n", cases[i].cgroup);

		assert_string_equal(job.container, cases[i].container);
	}
}

static void of_nested_containers_the_innermost_counts(void **state)
{
	static const char inner[] =
		"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
	char cgroup[256];
	struct job job;

	(void)state;
	snprintf(cgroup, sizeof(cgroup), "/docker/" ID "/docker/%s/init", inner);
	job = read_job("", cgroup);
	assert_string_equal(job.container, inner);
}

static void an_apptainer_without_a_cgroup_is_named_by_its_image(void **state)
{
	struct job job = read_job("APPTAINER_NAME=lammps.sif\n", "/user.slice");

	(void)state;
	assert_string_equal(job.container, "lammps.sif");
	job = read_job("SINGULARITY_NAME=old.simg\n", "/docker/" ID);
	assert_string_equal(job.container, ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_of_no_job_has_none),
		cmocka_unit_test(the_task_of_a_slurm_step_has_a_rank),
		cmocka_unit_test(the_script_of_a_slurm_batch_job_has_no_rank),
		cmocka_unit_test(a_rank_is_what_the_innermost_launcher_says),
		cmocka_unit_test(each_launcher_tells_ranks_in_its_own_way),
		cmocka_unit_test(each_scheduler_names_its_jobs),
		cmocka_unit_test(the_cgroup_of_a_slurm_job_counts_more_than_its_environment),
		cmocka_unit_test(malformed_values_are_not_there),
		cmocka_unit_test(the_first_of_two_variables_counts),
		cmocka_unit_test(containers_are_known_by_their_cgroups),
		cmocka_unit_test(of_nested_containers_the_innermost_counts),
		cmocka_unit_test(an_apptainer_without_a_cgroup_is_named_by_its_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
