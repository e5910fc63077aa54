// SPDX-License-Identifier: GPL-2.0-only
/* The parameters of a vGPU: "key=value, key=value" with keys that NVIDIA's driver knows, or blank for none. */
#include <linux/string.h>
#include <linux/sysfs.h>

#include "vgpus.h"

static const char *const names[] = {
	"frame_rate_limiter", "disable_vnc", "enable_uvm", "enable_debugging", "enable_profiling", "vgpu-placement-id",
};

static bool are_params(char *text)
{
	char *one;

	while ((one = strsep(&text, ",")) != NULL) {
		char *name = strsep(&one, "=");

		if (!one || match_string(names, ARRAY_SIZE(names), strim(name)) < 0)
			return false;
	}
	return true;
}

ssize_t lab_show_params(struct lab_params *params, char *text)
{
	ssize_t length;

	mutex_lock(&params->lock);
	length = sysfs_emit(text, "%s\n", params->text);
	mutex_unlock(&params->lock);
	return length;
}

int lab_set_params(struct lab_params *params, bool in_use, const char *text)
{
	char given[LAB_MOST_PARAMS], parsed[LAB_MOST_PARAMS];
	const char *bare;

	if (strscpy(given, text, sizeof(given)) < 0)
		return -EINVAL;
	bare = strim(given);
	strscpy(parsed, bare, sizeof(parsed));
	if (*bare && !are_params(parsed))
		return -EINVAL;
	if (in_use)
		return -EBUSY;
	mutex_lock(&params->lock);
	strscpy(params->text, bare, sizeof(params->text));
	mutex_unlock(&params->lock);
	return 0;
}
